package k8s

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// sopsRules say which values of a file are encrypted; at most one is set.
type sopsRules struct {
	UnencryptedSuffix string `yaml:"unencrypted_suffix"`
	EncryptedSuffix   string `yaml:"encrypted_suffix"`
	UnencryptedRegex  string `yaml:"unencrypted_regex"`
	EncryptedRegex    string `yaml:"encrypted_regex"`
	EncryptedComment  string `yaml:"encrypted_comment_regex"`
	PlainComment      string `yaml:"unencrypted_comment_regex"`
}

// compile makes a function of the rules: is the value at these keys encrypted?
func (r sopsRules) compile() (func(keys []string) bool, error) {
	if r.EncryptedComment != "" || r.PlainComment != "" {
		return nil, errors.New("rules by comment are not supported; use encrypted_regex")
	}
	var rules []func(keys []string) bool
	for _, rule := range []struct {
		text      string
		suffix    bool
		encrypted bool // what a key that fits means
	}{{r.UnencryptedSuffix, true, false}, {r.EncryptedSuffix, true, true}, {r.UnencryptedRegex, false, false}, {r.EncryptedRegex, false, true}} {
		if rule.text == "" {
			continue
		}
		fits := func(key string) bool { return strings.HasSuffix(key, rule.text) }
		if !rule.suffix {
			re, err := regexp.Compile(rule.text)
			if err != nil {
				return nil, fmt.Errorf("the regular expression %q: %w", rule.text, err)
			}
			fits = re.MatchString
		}
		rules = append(rules, func(keys []string) bool {
			for _, k := range keys {
				if fits(k) {
					return rule.encrypted
				}
			}
			return !rule.encrypted
		})
	}
	switch len(rules) {
	case 0:
		return func(keys []string) bool { return true }, nil
	case 1:
		return rules[0], nil
	}
	return nil, errors.New("more than one rule says what is encrypted")
}

// sopsOnly starts the MAC of a file in which only encrypted values count: sha256("sops").
var sopsOnly = []byte{
	0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0xb,
	0xb, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
}

// sopsWalk decrypts values in the order of the file and sums them up: Tree.Decrypt of the SOPS library.
type sopsWalk struct {
	key       []byte
	encrypted func(keys []string) bool
	only      bool // the MAC counts encrypted values alone
	mac       hash.Hash
	secret    map[*yaml.Node]bool
	err       error // the first
	line      int   // of err
}

func newSopsWalk(key []byte, encrypted func([]string) bool, only bool) *sopsWalk {
	w := &sopsWalk{key: key, encrypted: encrypted, only: only, mac: sha512.New(), secret: map[*yaml.Node]bool{}}
	if only {
		w.mac.Write(sopsOnly)
	}
	return w
}

func (w *sopsWalk) fail(n *yaml.Node, format string, args ...any) {
	if w.err == nil {
		w.err, w.line = fmt.Errorf(format, args...), n.Line
	}
}

func (w *sopsWalk) document(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		w.fail(n, "a document is a %s", kindName(n))
		return
	}
	w.mapping(n, nil)
}

func (w *sopsWalk) mapping(n *yaml.Node, at []string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			w.fail(k, "a key is no text")
			return
		}
		if len(at) > 0 || k.Value != sopsKey {
			w.walk(v, append(at[:len(at):len(at)], k.Value))
		}
	}
}

func (w *sopsWalk) walk(n *yaml.Node, at []string) {
	switch {
	case w.err != nil:
	case n.Kind == yaml.MappingNode:
		w.mapping(n, at)
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			w.walk(item, at)
		}
	case n.Kind != yaml.ScalarNode:
		w.fail(n, "an alias may not stand in an encrypted file")
	case n.ShortTag() == "!!null":
	case w.encrypted(at):
		w.decrypt(n, strings.Join(at, ":")+":")
	case !w.only:
		w.plain(n)
	}
}

func (w *sopsWalk) decrypt(n *yaml.Node, place string) {
	text, kind, err := sopsOpen(n.Value, w.key, place)
	if err != nil {
		w.fail(n, "the value at %s %v", strings.ReplaceAll(strings.TrimSuffix(place, ":"), ":", "."), err)
		return
	}
	n.Tag, n.Value, n.Style = "!!str", text, yaml.DoubleQuotedStyle
	switch kind {
	case "int", "float", "bool":
		n.Tag, n.Style = "!!"+kind, 0
		if kind == "bool" {
			n.Value = strings.ToLower(text)
		}
	}
	w.mac.Write([]byte(text))
	if text != "" {
		w.secret[n] = true
	}
}

// plain sums up a value that was not encrypted, in the form that SOPS gives it.
func (w *sopsWalk) plain(n *yaml.Node) {
	var v any
	if err := n.Decode(&v); err != nil {
		w.fail(n, "%s is no value", n.Value)
		return
	}
	switch v := v.(type) {
	case string:
		w.mac.Write([]byte(v))
	case int:
		w.mac.Write([]byte(strconv.Itoa(v)))
	case float64:
		w.mac.Write(strconv.AppendFloat(nil, v, 'f', -1, 64))
	case bool:
		w.mac.Write([]byte(map[bool]string{true: "True", false: "False"}[v]))
	case time.Time:
		text, _ := v.MarshalText()
		w.mac.Write(text)
	default:
		w.fail(n, "%s is a value that SOPS has not", n.Value)
	}
}

var sopsValue = regexp.MustCompile(`^ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]`)

var errSopsValue = errors.New("does not open: it was changed, or moved there from another place")

// sopsOpen decrypts one value: AES-256 in GCM, bound to its place in the file.
func sopsOpen(value string, key []byte, place string) (text, kind string, err error) {
	if value == "" {
		return "", "str", nil
	}
	m := sopsValue.FindStringSubmatch(value)
	if m == nil {
		return "", "", errors.New("is not encrypted, and should be")
	}
	var parts [3][]byte
	for i := range parts {
		if parts[i], err = base64.StdEncoding.DecodeString(m[i+1]); err != nil {
			return "", "", errSopsValue
		}
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", "", errors.New("does not open: the key has a wrong length")
	}
	if len(parts[1]) == 0 || len(parts[2]) != block.BlockSize() {
		return "", "", errSopsValue
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, len(parts[1]))
	if err != nil {
		return "", "", errSopsValue
	}
	plain, err := gcm.Open(nil, parts[1], append(parts[0], parts[2]...), []byte(place))
	if err != nil {
		return "", "", errSopsValue
	}
	switch kind = m[4]; kind {
	case "str", "int", "float", "bytes", "bool", "time":
		return string(plain), kind, nil
	}
	return "", "", fmt.Errorf("is of the type %q, which is not supported", kind)
}
