BEGIN TRANSACTION;
CREATE TABLE accounts (
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	baseline_at FLOAT,
	audit_at FLOAT,
	PRIMARY KEY (id),
	UNIQUE (name)
);
INSERT INTO "accounts" VALUES(1,'main',1700000000.0,1700000000.0);
INSERT INTO "accounts" VALUES(2,'second',1700000000.0,1700000000.0);
INSERT INTO "accounts" VALUES(3,'new',NULL,NULL);
CREATE TABLE actions (
	id TEXT NOT NULL,
	account_id INTEGER NOT NULL,
	sim_card_id TEXT NOT NULL,
	action_type TEXT NOT NULL,
	status TEXT NOT NULL,
	reason TEXT,
	created_at FLOAT,
	updated_at FLOAT,
	seen_at FLOAT NOT NULL,
	ended_at FLOAT,
	position BIGINT,
	stuck BOOLEAN NOT NULL,
	PRIMARY KEY (id, account_id)
)
 WITHOUT ROWID

;
INSERT INTO "actions" VALUES('main-0',1,'sim-0','enable','failed','SIM card is blocked',1700000010.0,1700000100.0,1700000200.0,1700000200.0,NULL,0);
INSERT INTO "actions" VALUES('main-1',1,'sim-1','enable','interrupted','SIM card is blocked',1700000011.0,1700000101.0,1700000200.0,1700000200.0,NULL,0);
INSERT INTO "actions" VALUES('main-2',1,'sim-2','enable','failed','SIM card is blocked',1700000012.0,1700000102.0,1700000200.0,1700000200.0,NULL,0);
INSERT INTO "actions" VALUES('main-3',1,'sim-3','enable','in-progress','SIM card is blocked',1700000013.0,1700000103.0,1700000200.0,NULL,NULL,0);
INSERT INTO "actions" VALUES('second-0',2,'sim-0','enable','failed','SIM card is blocked',1700000010.0,1700000100.0,1700000200.0,1700000200.0,NULL,0);
INSERT INTO "actions" VALUES('second-1',2,'sim-1','enable','interrupted','SIM card is blocked',1700000011.0,1700000101.0,1700000200.0,1700000200.0,NULL,0);
INSERT INTO "actions" VALUES('second-2',2,'sim-2','enable','failed','SIM card is blocked',1700000012.0,1700000102.0,1700000200.0,1700000200.0,NULL,0);
INSERT INTO "actions" VALUES('second-3',2,'sim-3','enable','in-progress','SIM card is blocked',1700000013.0,1700000103.0,1700000200.0,NULL,NULL,0);
CREATE TABLE listings (
	account_id INTEGER NOT NULL,
	action_type TEXT NOT NULL,
	status TEXT NOT NULL,
	sort_order TEXT NOT NULL,
	accounted BIGINT NOT NULL,
	horizon FLOAT,
	frontier FLOAT,
	pruned BIGINT NOT NULL,
	cutoff FLOAT,
	PRIMARY KEY (account_id, action_type, status)
);
INSERT INTO "listings" VALUES(1,'','','newest',4,1699999000.0,NULL,0,1700000000.0);
INSERT INTO "listings" VALUES(2,'','','newest',4,1699999000.0,NULL,0,1700000000.0);
CREATE TABLE outbox (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	account_id INTEGER NOT NULL,
	kind TEXT NOT NULL,
	body TEXT NOT NULL,
	logged BOOLEAN NOT NULL
);
INSERT INTO "outbox" VALUES(1,1,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"main","action_id":"main-0","sim_card_id":"sim-0","action_type":"enable","status":"failed","reason":"SIM card is blocked","reason_class":"sim_blocked","created_at":1700000010.0,"updated_at":1700000100.0,"duration_seconds":90.0}',1);
INSERT INTO "outbox" VALUES(2,1,'sim_card_action_interrupted','{"kind":"sim_card_action_interrupted","account":"main","action_id":"main-1","sim_card_id":"sim-1","action_type":"enable","status":"interrupted","reason":"SIM card is blocked","reason_class":"sim_blocked","created_at":1700000011.0,"updated_at":1700000101.0,"duration_seconds":90.0}',1);
INSERT INTO "outbox" VALUES(3,1,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"main","action_id":"main-2","sim_card_id":"sim-2","action_type":"enable","status":"failed","reason":"SIM card is blocked","reason_class":"sim_blocked","created_at":1700000012.0,"updated_at":1700000102.0,"duration_seconds":90.0}',0);
INSERT INTO "outbox" VALUES(4,2,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"second","action_id":"second-0","sim_card_id":"sim-0","action_type":"enable","status":"failed","reason":"SIM card is blocked","reason_class":"sim_blocked","created_at":1700000010.0,"updated_at":1700000100.0,"duration_seconds":90.0}',1);
INSERT INTO "outbox" VALUES(5,2,'sim_card_action_interrupted','{"kind":"sim_card_action_interrupted","account":"second","action_id":"second-1","sim_card_id":"sim-1","action_type":"enable","status":"interrupted","reason":"SIM card is blocked","reason_class":"sim_blocked","created_at":1700000011.0,"updated_at":1700000101.0,"duration_seconds":90.0}',1);
INSERT INTO "outbox" VALUES(6,2,'sim_card_action_failed','{"kind":"sim_card_action_failed","account":"second","action_id":"second-2","sim_card_id":"sim-2","action_type":"enable","status":"failed","reason":"SIM card is blocked","reason_class":"sim_blocked","created_at":1700000012.0,"updated_at":1700000102.0,"duration_seconds":90.0}',1);
CREATE TABLE schema_version (
	version INTEGER NOT NULL,
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(2);
CREATE TABLE sums (
	account_id INTEGER NOT NULL,
	metric TEXT NOT NULL,
	action_type TEXT NOT NULL,
	label TEXT NOT NULL,
	value FLOAT NOT NULL,
	exemplar_action_id TEXT,
	exemplar_sim_card_id TEXT,
	exemplar_at FLOAT,
	PRIMARY KEY (account_id, metric, action_type, label)
);
INSERT INTO "sums" VALUES(1,'known','enable','failed',2.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'created','enable','',4.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'failed','enable','sim_blocked',2.0,'main-2','sim-2',1700000102.0);
INSERT INTO "sums" VALUES(1,'duration_bucket','enable','failed/120',2.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'delay_bucket','','120',3.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable','interrupted',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'interrupted','enable','sim_blocked',1.0,'main-1','sim-1',1700000101.0);
INSERT INTO "sums" VALUES(1,'duration_bucket','enable','interrupted/120',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'known','enable','in-progress',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'duration_sum','enable','failed',180.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'delay_sum','','',297.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(1,'duration_sum','enable','interrupted',90.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','enable','failed',2.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'created','enable','',4.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'failed','enable','sim_blocked',2.0,'second-2','sim-2',1700000102.0);
INSERT INTO "sums" VALUES(2,'duration_bucket','enable','failed/120',2.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'delay_bucket','','120',3.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','enable','interrupted',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'interrupted','enable','sim_blocked',1.0,'second-1','sim-1',1700000101.0);
INSERT INTO "sums" VALUES(2,'duration_bucket','enable','interrupted/120',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'known','enable','in-progress',1.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'duration_sum','enable','failed',180.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'delay_sum','','',297.0,NULL,NULL,NULL);
INSERT INTO "sums" VALUES(2,'duration_sum','enable','interrupted',90.0,NULL,NULL,NULL);
CREATE INDEX actions_by_end ON actions (account_id, ended_at);
CREATE INDEX actions_interrupted ON actions (account_id, ended_at) WHERE status = 'interrupted';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',6);
COMMIT;
PRAGMA user_version = 8;
