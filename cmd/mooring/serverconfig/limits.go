package serverconfig

import (
	"fmt"
	"math"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Timeouts are how long one Terraform command may take; 0 is without a limit.
type Timeouts struct{ Init, Plan, Apply time.Duration }

// Keep bounds what the data directory holds of runs that ended.
type Keep struct {
	Runs int
	Age  time.Duration
	Size uint64 // bytes
}

// The limits of a file that leaves them out. An apply has none: one that is
// stopped half-way is worse than one that takes long.
const (
	DefaultInitTimeout = 15 * time.Minute
	DefaultPlanTimeout = time.Hour
	DefaultMinFree     = 64 << 20
	DefaultKeepRuns    = 1000
	DefaultKeepAge     = 90 * 24 * time.Hour
	DefaultKeepSize    = 10 << 30

	minTimeout = 100 * time.Millisecond
	minAge     = time.Hour
	minSize    = 1 << 20
)

var timeoutsSchema = attributes("init", "plan", "apply")

func (d *decoder) timeouts(b *hcl.Block) Timeouts {
	at := d.single(b, timeoutsSchema)
	return Timeouts{
		Init:  d.limit(at["init"], DefaultInitTimeout),
		Plan:  d.limit(at["plan"], DefaultPlanTimeout),
		Apply: d.limit(at["apply"], 0),
	}
}

var keepSchema = attributes("runs", "age", "size")

func (d *decoder) keep(b *hcl.Block) Keep {
	at := d.single(b, keepSchema)
	k := Keep{Runs: DefaultKeepRuns, Age: d.age(at["age"], DefaultKeepAge), Size: d.size(at["size"], DefaultKeepSize)}
	if at["runs"] != nil {
		k.Runs = d.whole(at["runs"], 1, 1_000_000)
	}
	return k
}

// single returns the arguments of a block that may be absent.
func (d *decoder) single(b *hcl.Block, schema *hcl.BodySchema) hcl.Attributes {
	if b == nil {
		return nil
	}
	return d.content(b.Body, schema).Attributes
}

// limit is a duration of which "0" means none.
func (d *decoder) limit(a *hcl.Attribute, fallback time.Duration) time.Duration {
	if a != nil {
		if s, ok := literal(a.Expr); ok && s == "0" {
			return 0
		}
	}
	return d.duration(a, fallback, minTimeout)
}

var days = regexp.MustCompile(`^([0-9]{1,5})d$`)

// age is a duration that may be in days: "90d".
func (d *decoder) age(a *hcl.Attribute, fallback time.Duration) time.Duration {
	if a != nil {
		if s, ok := literal(a.Expr); ok && days.MatchString(s) {
			n, _ := strconv.Atoi(strings.TrimSuffix(s, "d")) // at most 99,999 days fit
			if n == 0 {
				d.fail(a.Expr.Range(), "Too short", fmt.Sprintf("%s must be at least %s.", a.Name, minAge))
			}
			return time.Duration(n) * 24 * time.Hour
		}
	}
	return d.duration(a, fallback, minAge)
}

var (
	sizeShape = regexp.MustCompile(`^([0-9]{1,19}) ?([A-Za-z]*)$`)
	units     = map[string]uint64{
		"": 1, "B": 1,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
		"KB": 1e3, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	}
)

// size is a number of bytes: "64MiB", "1GB", or a plain number.
func (d *decoder) size(a *hcl.Attribute, fallback uint64) uint64 {
	if a == nil {
		return fallback
	}
	n, ok := d.bytes(a)
	switch {
	case !ok:
		return fallback
	case n < minSize:
		d.fail(a.Expr.Range(), "Too small", fmt.Sprintf("%s must be at least 1MiB.", a.Name))
		return fallback
	}
	return n
}

func (d *decoder) bytes(a *hcl.Attribute) (uint64, bool) {
	if n, ok := a.Expr.(*hclsyntax.LiteralValueExpr); ok && n.Val.Type() == cty.Number && !n.Val.IsNull() {
		n := d.whole(a, minSize, math.MaxInt64)
		return uint64(n), n > 0
	}
	s := d.text(a)
	if s == "" {
		return 0, false
	}
	m := sizeShape.FindStringSubmatch(s)
	if m == nil || units[m[2]] == 0 {
		d.fail(a.Expr.Range(), "Not a size", fmt.Sprintf("%s is a whole number of bytes with or without a unit: \"64MiB\", \"10GiB\", \"500MB\".", a.Name))
		return 0, false
	}
	count, err := strconv.ParseUint(m[1], 10, 64)
	over, n := bits.Mul64(count, units[m[2]])
	if err != nil || over != 0 || n > math.MaxInt64 {
		d.fail(a.Expr.Range(), "Not a size", fmt.Sprintf("%s is larger than any disk.", a.Name))
		return 0, false
	}
	return n, true
}
