// Package drift changes real things behind a real Mooring and looks at what Mooring makes of it: files and states behind
// Terraform with real providers, objects of a real API server, alerts to a webhook that checks them, and a server that is
// killed meanwhile.
package drift
