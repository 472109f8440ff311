// Package engine asks Rego policies what they think of a plan or of manifests. It holds OPA in itself and starts nothing.
//
// Its nouns: a Source is a set of policies and their data, compiled alone, so that the exceptions or the data of one never
// reach the rules of another. An Engine is all sources that were loaded; there is no engine of some. A Verdict of package
// policies is the answer, and whatever goes wrong on the way to it – a text that does not parse, a rule that fails, runs too
// long or says something that is not a finding, a plan that cannot be read – is a finding in it that denies.
//
// Rules are read as Conftest reads them: deny, violation and warn, each with a suffix or without, exceptions, namespaces,
// data files. Beside these, rules that begin with ask ask for people.
package engine
