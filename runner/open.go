package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

var (
	// ErrBusy is what a BusyError wraps.
	ErrBusy = errors.New("another Mooring uses this data directory")
	// ErrNotOurs is returned for a database that something else wrote.
	ErrNotOurs = errors.New("not a Mooring database")
	// ErrDamaged is returned for a database that cannot be read whole.
	ErrDamaged = errors.New("the database is damaged")
)

// BusyError says who holds a data directory.
type BusyError struct {
	DataDir string    `json:"-"`
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
	Command string    `json:"command"`
}

func (e *BusyError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("open %s: %v", e.DataDir, ErrBusy)
	}
	return fmt.Sprintf("open %s: %v: `%s`, process %d on %s, since %s", e.DataDir, ErrBusy, e.Command, e.PID, e.Host, e.Since.Format(time.RFC3339))
}

func (e *BusyError) Unwrap() error { return ErrBusy }

// openWait is how long a second Mooring waits for the first to let go: short
// enough to end within two seconds, long enough for one command to follow
// another.
const openWait = time.Second

// openJournal opens the one database of a data directory, alone.
func openJournal(dataDir string, now time.Time) (*journal, error) {
	path := filepath.Join(dataDir, "mooring.db")
	holder := filepath.Join(dataDir, "mooring.holder")
	if info, err := os.Stat(path); err == nil && info.Size() > 0 && info.Size() < 4*int64(os.Getpagesize()) {
		return nil, damaged(path, fmt.Errorf("it is cut off after %d bytes", info.Size()))
	}
	db, err := openBolt(path)
	if errors.Is(err, bolterrors.ErrTimeout) {
		busy := &BusyError{DataDir: dataDir}
		if data, err := os.ReadFile(holder); err == nil {
			// A holder file that cannot be read only makes the answer less precise.
			_ = json.Unmarshal(data, busy)
		}
		return nil, busy
	}
	if err != nil {
		return nil, err
	}
	j := &journal{db: db}
	if err := j.adopt(path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	host, _ := os.Hostname()
	data, err := json.Marshal(BusyError{PID: os.Getpid(), Host: host, Since: now, Command: commandName(os.Args)})
	if err == nil {
		err = os.WriteFile(holder, data, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", dataDir, err), db.Close())
	}
	return j, nil
}

// commandName is the program and its subcommand: arguments may be anything.
func commandName(args []string) string {
	name := filepath.Base(args[0])
	for _, a := range args[1:] {
		if !strings.HasPrefix(a, "-") {
			return name + " " + a
		}
	}
	return name
}

// openBolt turns everything that a damaged file does to bbolt, page faults
// included, into an error.
func openBolt(path string) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged(path, errors.New("a page of it cannot be read"))
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: openWait, FreelistType: bbolt.FreelistMapType})
	switch {
	case err == nil:
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, err
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return nil, damaged(path, err)
	case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENOLCK):
		return nil, fmt.Errorf("open %s: its file system has no working flock (%w): Mooring could not tell whether another one, or an apply, still lives; put data_dir on a local file system", path, err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("open %s: %w: Mooring must own its data directory", path, err)
	default:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		// Pages that are not there fault in a goroutine of bbolt's own, which nobody
		// can recover: count them first.
		if info, err := os.Stat(path); err != nil || info.Size() < tx.Size() {
			return errors.Join(err, fmt.Errorf("it is cut off: %d of %d bytes", info.Size(), tx.Size()))
		}
		for err := range tx.Check() {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(damaged(path, err), db.Close())
	}
	return db, nil
}

func damaged(path string, err error) error {
	return fmt.Errorf("open %s: %w: %w: restore it from a backup, or move it away to start without history (state and clusters are not touched; every unit is planned again)", path, ErrDamaged, err)
}

// adopt makes the buckets of a new database and refuses one that is not ours.
func (j *journal) adopt(path string) error {
	return j.update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			if k, _ := tx.Cursor().First(); k != nil {
				return fmt.Errorf("open %s: %w: it holds a bucket %q; give Mooring a data_dir of its own", path, ErrNotOurs, k)
			}
			var err error
			if meta, err = tx.CreateBucket(metaBucket); err != nil {
				return err
			}
			if err := meta.Put([]byte("format"), []byte(format)); err != nil {
				return err
			}
		}
		if got := string(meta.Get([]byte("format"))); got != format {
			return fmt.Errorf("open %s: it has format %q and this Mooring reads %q: run the Mooring that wrote it, or a newer one", path, got, format)
		}
		for _, b := range [][]byte{runsBucket, resultsBucket, openBucket, unitsBucket, reposBucket, decisionBucket, pullsBucket, reviewsBucket, driftBucket, driftEndsBucket, scansBucket, troubleBucket, remedyBucket} {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		return nil
	})
}
