package redact

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// FromEnv is the credentials in an environment, sorted: every value whose name is not
// known to say a place or a switch, and which is not too plain for a secret (shorter than
// six bytes, true, false and the like, numbers of up to seven digits; unless the name has
// PASSWORD, SECRET or TOKEN in it). Of a value that is JSON, the strings in it too; of an
// address with a user and a password in it, the password, whatever its name.
func FromEnv(env map[string]string) []string {
	var found []string
	for name, value := range env {
		found = append(found, userinfo(name, value)...)
		if isPlace(name, value) {
			continue
		}
		least := 6
		if telling.MatchString(name) {
			least = shortest
		} else if number.MatchString(value) {
			continue
		}
		for _, v := range append(embedded(value), value) {
			if len(v) >= least && !slices.Contains(switches, strings.ToLower(v)) {
				found = append(found, v)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

var (
	telling  = regexp.MustCompile(`(?i)PASS(WORD|WD|PHRASE)|SECRET|TOKEN`)
	number   = regexp.MustCompile(`^-?[0-9]{1,7}$`)
	switches = []string{"true", "false", "enabled", "disabled", "enable", "disable", "always", "never", "default"}
)

// userinfo is the password in an address, as it is and as the address has it; without
// one, a user that is long enough for a token.
func userinfo(name, value string) []string {
	_, rest, ok := strings.Cut(value, "://")
	if !ok {
		if !strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			return nil
		}
		rest = value // a proxy needs no scheme
	}
	// By hand: url.Parse refuses addresses that programs take.
	authority, _, _ := strings.Cut(rest, "?")
	at := strings.LastIndex(authority, "@")
	if at < 0 {
		return nil
	}
	user, written, _ := strings.Cut(authority[:at], ":")
	if written == "" && len(user) >= 16 {
		written = user
	}
	if len(written) < shortest {
		return nil
	}
	found := []string{written}
	if plain, err := url.PathUnescape(written); err == nil && plain != written {
		found = append(found, plain)
	}
	return found
}

// isPlace says that a variable of this name says where something is, or how it is done,
// and not what must not be known. Names that end in _FILE and the like do so only with
// an absolute path; any other with the absolute path of a file that is there.
func isPlace(name, value string) bool {
	name = strings.ToUpper(name)
	if slices.Contains(places, name) {
		return true
	}
	for _, p := range placePrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	for _, s := range placeSuffixes {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	if !strings.HasPrefix(value, "/") {
		return false
	}
	for _, s := range pathSuffixes {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	_, err := os.Stat(value)
	return err == nil // it names what is there on this machine
}

var (
	places = []string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "HOSTNAME", "TMPDIR", "TZ", "TERM", "LANG",
		"LANGUAGE", "EDITOR", "COLORTERM", "SSH_AUTH_SOCK", "AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
		"KUBECONFIG", "KUBE_CONFIG_PATH", "KUBE_CONFIG_PATHS", "KUBE_CTX", "KUBERNETES_SERVICE_HOST", "KUBERNETES_PORT",
		"AWS_REGION", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_ACCOUNT_ID", "AWS_SDK_LOAD_CONFIG",
		"ARM_ENVIRONMENT", "ARM_SUBSCRIPTION_ID", "ARM_TENANT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID",
		"GITHUB_OWNER", "GITHUB_BASE_URL", "GITLAB_BASE_URL", "OS_AUTH_URL", "OS_CLOUD",
		"PGHOST", "PGDATABASE", "PGUSER", "PGSSLMODE", "TF_WORKSPACE", "TF_LOG", "TF_LOG_CORE", "TF_LOG_PROVIDER",
		"TF_IN_AUTOMATION", "TF_INPUT", "TF_PLUGIN_CACHE_DIR", "TF_DATA_DIR", "TF_CLI_CONFIG_FILE", "GODEBUG",
	}
	placePrefixes = []string{
		"LC_", "SSL_CERT_", "XDG_", "AWS_ENDPOINT_URL_", "CLOUDSDK_CORE_", "CLOUDSDK_COMPUTE_", "TF_APPEND_USER_AGENT",
	}
	placeSuffixes = []string{
		"_REGION", "_ZONE", "_PROFILE", "_ENDPOINT", "_ENDPOINT_URL", "_PROXY", "_PROJECT", "_PROJECT_ID", "_PROJECT_NAME",
		"_ADDR", "_NAMESPACE",
	}
	pathSuffixes = []string{
		"_FILE", "_FILES", "_DIR", "_PATH", "_HOME", "_CACERT", "_CAPATH", "_CERTIFICATE_PATH", "_APPLICATION_CREDENTIALS",
	}
)
