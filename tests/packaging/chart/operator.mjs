// Validate objects of the Prometheus operator by the functions that were made of its schemas.
// Reads a list of objects from stdin, prints a list of problems for each. The functions let
// unknown fields pass: what they never look at is unknown.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const schemas = join(process.argv[2], "node_modules/@kubernetes-models/prometheus-operator/_schemas");
const prefix = "ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1";

function watched(value, place, unseen) {
  if (value === null || typeof value !== "object") return value;
  const inner = Array.isArray(value) ? [] : {};
  for (const key of Object.keys(value)) {
    const at = `${place}/${key}`;
    unseen.add(at);
    inner[key] = watched(value[key], at, unseen);
  }
  return new Proxy(inner, {
    get(target, key) {
      unseen.delete(`${place}/${String(key)}`);
      return target[key];
    },
  });
}

async function problems(object) {
  const file = pathToFileURL(join(schemas, `${prefix}${object.kind}.js`));
  const { validate } = await import(file.href);
  const unseen = new Set();
  validate(watched(object, "", unseen));
  const wrong = (validate.errors ?? []).map((each) => `${each.instancePath}: ${each.keyword}`);
  return [...wrong, ...[...unseen].map((place) => `${place}: unknown`)];
}

const objects = JSON.parse(readFileSync(0, "utf8"));
const found = [];
for (const object of objects) found.push(await problems(object));
process.stdout.write(JSON.stringify(found));
