package workspace

import "github.com/hashicorp/hcl/v2"

// fileFacts is what one file says, without its syntax tree: a server keeps these
// for every file of a repository. It is never changed after it is made, and files
// of equal content share one.
type fileFacts struct {
	sum    [16]byte // of the content
	broken hcl.Diagnostics
	values []namedExpr // of a variable file or a backend configuration file
	*configFacts
}

// configFacts is what a *.tf or *.tf.json file says. Other files share an empty one.
type configFacts struct {
	requiredVersion []expr
	backend         *backendBlock
	cloudLine       int32 // of a cloud block; 0 for none
	hasProvider     bool  // a provider block
	required        []requiredProvider
	implied         []string // local names of providers that resources and data sources need, sorted
	calls           []moduleCall
	variables       []variable
	locals          []namedExpr
	outputs         []output
	states          []stateBlock
	paths           []pathRef
	guessed         *guess   // of a file that does not parse
	strings         []string // of a kustomization
}

type backendBlock struct {
	kind   string
	line   int32
	config []namedExpr
	nested string // blocks inside it, as written
}

type requiredProvider struct {
	name, source string
	text         string // the whole requirement as written
}

type moduleCall struct {
	name    string
	source  expr
	version string // as written
	line    int32
	args    []namedExpr
	repeat  *repeat
}

// repeat is for_each or count; most blocks have neither.
type repeat struct{ forEach, count expr }

type variable struct {
	name      string
	def       expr
	sensitive bool
}

type output struct {
	name      string
	sensitive bool
}

// stateBlock is a data "terraform_remote_state" block.
type stateBlock struct {
	name      string
	line      int32
	backend   expr
	workspace expr
	config    expr
	repeat    *repeat
}

type namedExpr struct {
	name string
	expr expr
}

// expr is an expression as its source text. Parsing it again when it is needed
// costs microseconds; keeping the trees of five thousand modules costs the memory
// of the server.
type expr struct {
	text string
	line int32
	form exprForm
}

type exprForm uint8

const (
	formNone    exprForm = iota // left out
	formLiteral                 // text is the string itself
	formHCL
	formJSON
)

func (e expr) set() bool { return e.form != formNone }

// pathRef is a path in the configuration that names a file or directory.
type pathRef struct {
	fn     string // the function that reads it; "" for a path that is only mentioned
	base   pathBase
	prefix string // the constant part, relative to base
	glob   string // fileset's pattern
	// dynamic is the whole expression when prefix is only its beginning.
	dynamic expr
	line    int32
}

type pathBase uint8

const (
	baseRoot   pathBase = iota // path.root, path.cwd, or a plain relative path
	baseModule                 // path.module
)

// guess is what the plain text of a broken file tells. Without it a syntax error
// in a caller would make root modules of the modules it calls.
type guess struct {
	sources []string
	root    bool
}
