"""The only room that talks to Telnyx: wire structs and the client."""
