package gitea

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
)

// configuration is a Gitea that forgets nothing of its API, webhooks and git, and does nothing by itself. Passwords are
// hashed fast, since it guards none. When a branch moves, the pull requests into it are looked at again once somebody views
// or merges them, as Gitea does by default with those that nobody has touched for a week: a story that merges one of many
// would else have all the others checked each time. Several are checked at once: with one worker, as Gitea has on two
// processors, a story waits until all of another's have been. They wait in a queue on disk, Gitea's default: that in
// memory (baseChannel.PushItem of its modules/queue) marks what it holds after it is already in, so that one which is taken
// out at that very moment stays marked, is never put in again, and never found to be mergeable.
const configuration = `APP_NAME = Gitea of a test
RUN_MODE = prod

[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = %[1]d
ROOT_URL = http://127.0.0.1:%[1]d/
STATIC_ROOT_PATH = %[2]s
APP_DATA_PATH = %[3]s/data
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false
GRACEFUL_HAMMER_TIME = 1s

[database]
DB_TYPE = sqlite3
PATH = %[3]s/data/gitea.db
SQLITE_JOURNAL_MODE = WAL
SQLITE_TIMEOUT = 20000
DB_RETRIES = 1

[security]
INSTALL_LOCK = true
SECRET_KEY = %[4]s
INTERNAL_TOKEN = %[5]s
PASSWORD_HASH_ALGO = pbkdf2$10$50
SUCCESSFUL_TOKENS_CACHE_SIZE = 1000

[oauth2]
ENABLED = false
JWT_SECRET = %[6]s

[service]
DISABLE_REGISTRATION = true
ENABLE_NOTIFY_MAIL = false
DEFAULT_KEEP_EMAIL_PRIVATE = false

[repository]
ROOT = %[3]s/data/repositories
DEFAULT_BRANCH = main
DISABLE_STARS = true

[repository.pull-request]
DELAY_CHECK_FOR_INACTIVE_DAYS = 0

[git.config]
core.hooksPath = %[7]s
maintenance.auto = false
receive.autogc = false

[webhook]
ALLOWED_HOST_LIST = *
DELIVER_TIMEOUT = 10

[session]
PROVIDER = memory

[cache]
ADAPTER = memory

[queue]
TYPE = channel

[queue.pr_patch_checker]
TYPE = level
MAX_WORKERS = 4

[indexer]
ISSUE_INDEXER_TYPE = db
REPO_INDEXER_ENABLED = false

[cron]
ENABLED = false

[cron.update_checker]
ENABLED = false

[mirror]
ENABLED = false

[actions]
ENABLED = false

[packages]
ENABLED = false

[picture]
DISABLE_GRAVATAR = true

[log]
MODE = console
LEVEL = warn
`

func configFile(dir string) string { return filepath.Join(dir, "app.ini") }

func (u user) configure(dir, program, hook string, port *reservedPort) error {
	internal := secret()
	content := fmt.Sprintf(configuration, port.number, program, dir, secret(), internal, secret(), hooksDir(dir))
	if strings.ContainsAny(dir+program, "\n`\"") {
		return fmt.Errorf("configure: %q and %q are no paths for Gitea's configuration", dir, program)
	}
	if err := u.write(configFile(dir), content); err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	if err := u.writeHooks(dir, hook, internal, port); err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	return nil
}

// secret is 32 random bytes in the form that Gitea wants of its own.
func secret() string {
	bytes := make([]byte, 32)
	_, _ = rand.Read(bytes) // it never fails
	return base64.RawURLEncoding.EncodeToString(bytes)
}
