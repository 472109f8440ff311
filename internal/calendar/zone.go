package calendar

import (
	"fmt"
	"time"
	_ "time/tzdata" // a container often brings no zones of its own; they are 450 KiB of the program
)

// LoadZone finds a time zone by its name, "Europe/Berlin" or "UTC". The zone of the machine has none here: a repository must
// mean the same wherever it is read.
func LoadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is no time zone such as \"Europe/Berlin\" or \"UTC\"", name)
	}
	return zone, nil
}
