package serverconfig

import (
	"time"

	"github.com/mooring-iac/mooring/internal/notify"
)

// Config is what a server.hcl says, with its defaults filled in and every path
// absolute.
type Config struct {
	Path         string            // the file it was read from, absolute
	DataDir      string            // holds the database, mirrors, checkouts and local state
	Listen       string            // host:port of the web listener; "" starts none
	PublicURL    string            // what links use; "" when not set
	Parallel     int               // units at once over all repositories; 0 leaves it to the runner
	Grace        time.Duration     // how long running applies may take once Mooring is told to stop
	Env          []string          // names or PREFIX_* of the environment that Terraform may see
	InitEnv      []string          // the same, for terraform init alone
	PlanEnv      []string          // the same, for everything but apply
	ApplyEnv     []string          // the same, for apply alone
	PlanValues   map[string]string // variables that plan_env sets itself, over those that are passed on
	ApplyValues  map[string]string // the same for apply_env
	CLIConfig    string            // Terraform's CLI configuration file; "" for none
	Sandbox      Sandbox
	Timeouts     Timeouts
	MinFree      uint64 // bytes that the disk must have left before an apply
	Keep         Keep
	KeyFile      string // an age identity, absolute; "" for Mooring's own in DataDir
	Sops         Sops
	Charts       Charts
	Pages        Pages
	Terraform    Terraform
	Repositories []Repository // in the file's order
	Clusters     []Cluster    // in the file's order
	Policies     []Policy     // in the file's order
	Pack         Pack
	Teams        []Team
	Notify       notify.Config
	Drift        Drift
	Heartbeat    Heartbeat
	Credentials  []Credentials // in the file's order
}

// Sops says what opens files in repositories that SOPS encrypted.
type Sops struct {
	AgeKeyFile string   // age identities, absolute; "" is none
	KeyService string   // unix socket of a sops keyservice, absolute; "" is none
	Keys       []string // what the key service may be asked for
}

// Terraform says where Terraform comes from.
type Terraform struct {
	Path        string // an executable to use before those on PATH; "" for none
	ReleasesURL string // a release server in place of HashiCorp's; "" for theirs
	PublicKey   string // armored key that signs its releases; "" for HashiCorp's
}

// Repository is one watched Git repository.
type Repository struct {
	Name       string
	URL        string // http(s), ssh, user@host:path, file:// or an absolute local path
	Branch     string // "" for the remote's HEAD
	Poll       time.Duration
	Apply      string // after_merge, before_merge or never
	AutoApply  string // the ceiling: always, no_destroy or never
	DirectPush string // apply or hold
	Require    []string
	Reviews    Reviews
	Env        []string // added to the server's
	InitEnv    []string // added to the server's
	PlanEnv    []string // added to the server's
	ApplyEnv   []string // added to the server's

	PlanValues  map[string]string // added to the server's; here they win
	ApplyValues map[string]string // added to the server's; here they win

	Username         string
	Token            string
	SSHKey           []byte // PEM
	SSHKeyPassphrase string
	KnownHosts       string // path of a known_hosts file; "" for the user's own
	CABundle         []byte // PEM; nil for the system's

	Forge *Forge // nil when the repository has none

	Policy RepositoryPolicy
	Drift  RepositoryDrift
}

// The defaults of a file that leaves them out.
const (
	DefaultPoll  = 30 * time.Second
	DefaultGrace = 2 * time.Minute

	minPoll = 100 * time.Millisecond
	// maxFile bounds what is read into memory: the file itself and each secret.
	maxFile = 1 << 20
)
