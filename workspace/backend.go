package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Backend is where a root module keeps its state, as far as the repository tells.
type Backend struct {
	Type string // "local" when no backend is named
	// Settings are the block's and backend_config's constant values, by name; values
	// inside an object have dotted names. They may hold credentials: compare, never print.
	Settings []Setting
	// Unresolved names the settings whose values the repository does not tell.
	Unresolved []string
	// Declared tells that there is a backend block.
	Declared bool
	File     string
	Line     int
}

// Setting is one resolved value of a backend's configuration.
type Setting struct{ Name, Value string }

// Get answers a setting, "" when it is not there.
func (b *Backend) Get(name string) string { return settings(b.Settings).get(name) }

type settings []Setting

func (s settings) get(name string) string {
	for _, setting := range s {
		if setting.Name == name {
			return setting.Value
		}
	}
	return ""
}

func (s settings) or(name, fallback string) string {
	if v := s.get(name); v != "" {
		return v
	}
	return fallback
}

// with replaces or adds a setting.
func (s settings) with(name, value string) settings {
	if i := slices.IndexFunc(s, func(e Setting) bool { return e.Name == name }); i >= 0 {
		s[i].Value = value
		return s
	}
	return append(s, Setting{name, value})
}

// backend finds where the root's state is: the block, then backend_config over it.
func (a *analysis) backend(root *scope) {
	b := &a.out.Backend
	b.Type = "local"
	if cloud := root.mod.cloud(); cloud != nil {
		a.refuse(cloud.file, int(cloud.fact), "a cloud block runs Terraform elsewhere: Mooring runs it itself and cannot hold such a plan; keep the state in a backend")
	}
	var cfg settings
	unresolved := map[string]bool{}
	set := func(sc *scope, attrs []namedExpr) {
		for _, attr := range attrs {
			k := sc.eval(attr.expr)
			delete(unresolved, attr.name)
			var names []string
			cfg, names = flatten(attr.name, k.value, cfg)
			for _, name := range names {
				unresolved[name] = true
			}
		}
	}
	if block := root.mod.backend(); block != nil {
		b.Type, b.File, b.Line, b.Declared = block.fact.kind, block.file, int(block.fact.line), true
		set(root, block.fact.config)
		if b.Type == "remote" {
			a.refuse(b.File, b.Line, `backend "remote" may run Terraform elsewhere: Mooring runs it itself and cannot hold such a plan; keep the state in another backend`)
		}
	}
	for _, f := range a.spec.backendFiles {
		a.use(f)
		if facts := a.scan.valueFile(f); facts != nil {
			set(root, facts.values)
		}
	}
	for _, s := range a.spec.backendConfig {
		delete(unresolved, s.Name)
		cfg = cfg.with(a.scan.in.intern(s.Name), a.scan.in.intern(s.Value))
	}
	slices.SortFunc(cfg, func(x, y Setting) int { return strings.Compare(x.Name, y.Name) })
	b.Settings = slices.Clip(cfg)
	b.Unresolved = slices.Sorted(maps.Keys(unresolved))
	a.out.state = identify(b.Type, cfg, b.Unresolved, a.spec.workspace, a.pathOf)
	if a.out.state.path != "" {
		a.out.LocalStatePaths = append(a.out.LocalStatePaths, a.out.state.path)
	}
	if b.Declared && a.out.state.missing != "" && a.out.err == nil {
		a.warn(b.File, int32(b.Line), "backend %q: %s is not told by the repository, so nothing can be matched to this state", b.Type, a.out.state.missing)
	}
}

// stateID names the place of one state.
type stateID struct {
	name string // what every reader of the state has to say, such as bucket and key
	// where narrows it down by what one of two readers may leave to the environment,
	// such as an endpoint. Two ids with the same name are the same state when one of
	// them leaves this out.
	where string
	// path is the state file when it would lie in the repository.
	path string
	// missing is the setting that keeps the state from being named; "" when it is named.
	missing string
}

func (id stateID) String() string {
	if id.missing != "" {
		return ""
	}
	if id.where == "" {
		return id.name
	}
	return id.name + "?" + id.where
}

const defaultWorkspace = "default"

// identify names the state that a backend's configuration and a Terraform workspace
// lead to, after the rules of Terraform's own backends. rootDir is the directory
// Terraform runs in; pathOf turns a path of the configuration into one of the repository.
func identify(kind string, cfg settings, unresolved []string, workspace string, pathOf func(string) (string, bool)) stateID {
	var id stateID
	need := func(name string) string {
		v := cfg.get(name)
		if id.missing == "" && (v == "" || slices.Contains(unresolved, name)) {
			id.missing = name
		}
		return v
	}
	// An optional setting that is there and cannot be told still hides the name.
	optional := func(name, fallback string) string {
		if id.missing == "" && slices.Contains(unresolved, name) {
			id.missing = name
		}
		return cfg.or(name, fallback)
	}
	other := workspace != defaultWorkspace
	switch kind {
	case "local":
		p := optional("path", "terraform.tfstate")
		if other {
			p = path.Join(optional("workspace_dir", "terraform.tfstate.d"), workspace, "terraform.tfstate")
		}
		real, inside := pathOf(p)
		if inside {
			id.path = real
		}
		id.name = "local:" + real
	case "s3":
		key := strings.TrimPrefix(need("key"), "/")
		if other {
			key = path.Join(optional("workspace_key_prefix", "env:"), workspace, key)
		}
		id.name = "s3://" + need("bucket") + "/" + key
		id.where = pair("endpoint", cfg.or("endpoints.s3", cfg.get("endpoint")))
	case "gcs":
		id.name = "gcs://" + need("bucket") + "/" + path.Join(optional("prefix", ""), workspace+".tfstate")
	case "azurerm":
		key := need("key")
		if other {
			key += "env:" + workspace
		}
		id.name = "azurerm://" + need("storage_account_name") + "/" + need("container_name") + "/" + key
		id.where = pair("environment", cfg.get("environment"))
	case "oss":
		id.name = "oss://" + need("bucket") + "/" + path.Join(optional("prefix", "env:"), only(other, workspace), optional("key", "terraform.tfstate"))
		id.where = pair("endpoint", cfg.get("endpoint"))
	case "cos":
		id.name = "cos://" + need("bucket") + "/" + path.Join(optional("prefix", ""), only(other, workspace), optional("key", "terraform.tfstate"))
		id.where = pair("region", cfg.get("region"))
	case "consul":
		p := need("path")
		if other {
			p += "-env:" + workspace
		}
		id.name = "consul://" + p
		id.where = pair("address", withoutUser(cfg.get("address"))) + pair("datacenter", cfg.get("datacenter"))
	case "kubernetes":
		id.name = "kubernetes://" + optional("namespace", "default") + "/tfstate-" + workspace + "-" + need("secret_suffix")
		id.where = pair("host", cfg.get("host")) + pair("context", cfg.get("config_context"))
	case "pg":
		id.name = "pg://" + optional("schema_name", "terraform_remote_state") + "/" + workspace
		id.where = pair("conn", withoutUser(cfg.get("conn_str")))
		if id.where == "" && slices.Contains(unresolved, "conn_str") {
			id.missing = "conn_str"
		}
	case "http":
		id.name = "http:" + withoutUser(need("address"))
		if other {
			id.name += "#" + workspace
		}
	default:
		id.name = kind + ":" + genericName(cfg, need) + "#" + workspace
	}
	return id
}

// genericName takes the usual names of places from a backend this package does not know.
func genericName(cfg settings, need func(string) string) string {
	var parts []string
	for _, name := range []string{"address", "endpoint", "bucket", "container", "container_name", "repo", "subpath", "prefix", "path", "key", "name"} {
		if v := cfg.get(name); v != "" {
			parts = append(parts, name+"="+withoutUser(v))
		}
	}
	if len(parts) == 0 {
		need("key")
	}
	return strings.Join(parts, ",")
}

func only(yes bool, s string) string {
	if yes {
		return s
	}
	return ""
}

func pair(name, value string) string {
	if value == "" {
		return ""
	}
	return name + "=" + value + ";"
}

// withoutUser takes user and password out of an address, so that the name of a
// state can be shown. What cannot be read as an address is shown as its hash.
func withoutUser(address string) string {
	if !strings.ContainsAny(address, "@= ") {
		return address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		sum := sha256.Sum256([]byte(address))
		return "sha256:" + hex.EncodeToString(sum[:8])
	}
	u.User = nil
	query := u.Query()
	for name := range query {
		if strings.Contains(name, "password") || strings.Contains(name, "token") || strings.Contains(name, "secret") {
			query.Del(name)
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}
