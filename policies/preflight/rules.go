// Package preflight judges what a pull request adds before any code of it runs.
package preflight

// Mode says what becomes of what a pull request adds. The zero value asks.
type Mode string

// The modes.
const (
	Asks   Mode = "ask"
	Denies Mode = "deny"
	Off    Mode = "off"
)

// Rules are the lists of what may be used. A list that is given is the whole of what may
// be; where none is, what the branch uses already may, and what is added is asked for.
type Rules struct {
	Mode         Mode
	Providers    []string
	Modules      []string
	Backends     []string
	DataSources  []string
	Provisioners []string
	RemoteStates []string
	Functions    []string
}
