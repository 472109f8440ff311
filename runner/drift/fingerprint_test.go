package drift

import (
	"encoding/json"
	"strings"
	"testing"
)

func changed(address string, fields ...Field) Finding {
	return Finding{Address: address, Kind: "aws_instance", Class: OutOfBand, Change: Changed, Action: "update", Fields: fields}
}

func sealed(f Finding) Finding {
	f.Fields = append([]Field(nil), f.Fields...)
	f.Seal([]byte("key"))
	return f
}

func TestAFingerprintChangesWithTheDriftAndWithNothingElse(t *testing.T) {
	owner, size := Field{Path: "tags.Owner", Old: "a", New: "b"}, Field{Path: "size", Old: 1, New: 2}
	base := sealed(changed("x.y", owner, size))
	if again := sealed(changed("x.y", size, owner)); again.Fingerprint != base.Fingerprint || again.Cause != base.Cause {
		t.Error("the order of fields changes it")
	}
	by := owner
	by.By = "kubectl"
	told := changed("x.y", by, size)
	told.Message, told.Severity = "words", Critical
	if again := sealed(told); again.Fingerprint != base.Fingerprint {
		t.Error("who did it, words or severity change it")
	}
	twice := sealed(base)
	if twice.Fingerprint != base.Fingerprint || twice.Cause != base.Cause {
		t.Error("sealing twice changes it")
	}
	other := map[string]Finding{"address": changed("x.z", owner, size), "field": changed("x.y", owner), "old": changed("x.y", Field{Path: "tags.Owner", Old: "c", New: "b"}, size), "new": changed("x.y", Field{Path: "tags.Owner", Old: "a", New: "c"}, size)}
	for what, f := range other {
		if sealed(f).Fingerprint == base.Fingerprint {
			t.Errorf("another %s does not change it", what)
		}
	}
	if sealed(other["address"]).Cause != base.Cause || sealed(other["old"]).Cause != base.Cause {
		t.Error("the same thing done elsewhere has another cause")
	}
	if sealed(other["new"]).Cause == base.Cause || sealed(other["field"]).Cause == base.Cause {
		t.Error("another thing has the same cause")
	}
}

func TestChurnIsTheSameWhateverItsValues(t *testing.T) {
	now := func(at string) Finding {
		f := changed("x.y", Field{Path: "input", Old: at, New: "then"})
		f.Class = Churn
		return sealed(f)
	}
	if now("1").Fingerprint != now("2").Fingerprint {
		t.Error("churn is new in every scan")
	}
	planned := func(at string) Finding {
		return sealed(changed("x.y", Field{Path: "input", Old: at, New: "then", Planned: true}))
	}
	if planned("1").Fingerprint != planned("2").Fingerprint {
		t.Error("what is planned makes a drift new in every scan")
	}
}

func TestASecretIsSealedWithTheKey(t *testing.T) {
	secret := func(value, key string) Finding {
		f := changed("x.y", Field{Path: "password", Old: "hunter2", New: value, Secret: true})
		f.Seal([]byte(key))
		return f
	}
	a := secret("canary", "k")
	raw, err := json.Marshal(a)
	if err != nil || strings.Contains(string(raw), "canary") || strings.Contains(string(raw), "hunter2") || a.Fields[0].Old != nil || a.Fields[0].New != nil {
		t.Errorf("%v: %s", err, raw)
	}
	if b := secret("canary2", "k"); a.Fingerprint == b.Fingerprint {
		t.Error("a secret that changed again has the same fingerprint")
	}
	if b := secret("canary", "other"); a.Fingerprint == b.Fingerprint || a.Cause == b.Cause {
		t.Error("without the key a secret can be guessed")
	}
	// What was kept as JSON is sealed again without the values, and without the key that it once had.
	var kept Finding
	if err := json.Unmarshal(raw, &kept); err != nil {
		t.Fatal(err)
	}
	if kept.Seal(nil); kept.Fingerprint != a.Fingerprint {
		t.Error("sealed again it is another one")
	}
}
