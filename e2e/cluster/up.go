package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const (
	startTimeout = 2 * time.Minute // generous: a cold disk and a busy machine
	stopTimeout  = 5 * time.Second // then the process ends with whatever still runs
)

type options struct {
	dir     string // private to one instance
	onlyAPI bool
	port    int // 0: any free one
	remove  bool
}

// ready is the line printed when the cluster is up.
type ready struct {
	Ready      bool    `json:"ready"`
	Kubeconfig string  `json:"kubeconfig"` // absolute path
	URL        string  `json:"url"`
	PID        int     `json:"pid"`
	Seconds    float64 `json:"seconds"` // from start to ready
}

// up runs a cluster until ctx ends and writes one line of JSON to out when it is ready. It returns the error of the
// component that failed first, nil when it was asked to stop.
func up(ctx context.Context, o options, out io.Writer) error {
	begin := time.Now()
	dir, err := prepareDir(o.dir)
	if err != nil {
		return err
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer unlock()
	if o.remove {
		defer func() { _ = os.RemoveAll(dir) }() // after everything below has let go of it
	}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	if err := logTo(log); err != nil {
		return err
	}

	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)))
	if err != nil {
		return fmt.Errorf("listen for the API server: %w", err)
	}
	url := "https://" + listener.Addr().String()
	files, err := writeCredentials(dir, url)
	if err != nil {
		return err
	}

	run := newRunning(ctx)
	defer run.stop()
	etcdURL, err := run.etcd(dir)
	if err != nil {
		return err
	}
	if err := run.cluster(o, files, etcdURL, listener, log); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(run.ctx, startTimeout)
	defer cancel()
	if err := waitReady(waiting, o, files.kubeconfig); err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop before it was ready
		}
		return errors.Join(run.failure(), err)
	}
	line := ready{Ready: true, Kubeconfig: files.kubeconfig, URL: url, PID: os.Getpid(), Seconds: time.Since(begin).Seconds()}
	if err := json.NewEncoder(out).Encode(line); err != nil {
		return fmt.Errorf("say ready: %w", err)
	}
	<-run.ctx.Done()
	return run.failure()
}

// cluster starts what the options ask for and returns at once. Flags of all components are read before any starts,
// because they share one registry of feature gates.
func (r *running) cluster(o options, files credentials, etcdURL string, listener net.Listener, log io.Writer) error {
	apiServer, err := newAPIServer(files, etcdURL, listener)
	if err != nil {
		return err
	}
	manager, err := newControllerManager(files, o.onlyAPI)
	if err != nil {
		return err
	}
	scheduler, err := newScheduler(files)
	if err != nil {
		return err
	}
	if err := compatibility.DefaultComponentGlobalsRegistry.Set(); err != nil {
		return fmt.Errorf("set feature gates: %w", err)
	}

	r.start("API server", apiServer)
	r.start("controller manager", afterAPIServer(files.kubeconfig, manager))
	if !o.onlyAPI {
		r.start("scheduler", afterAPIServer(files.kubeconfig, scheduler))
		r.start("kwok", afterAPIServer(files.kubeconfig, func(ctx context.Context) error { return runKwok(ctx, files.kubeconfig, log) }))
	}
	return nil
}

// running is a set of components that end together.
type running struct {
	ctx    context.Context // ends when a component fails or the cluster is asked to stop
	cancel context.CancelFunc
	wait   sync.WaitGroup
	closes []func() // run last to first after all components have ended

	mu  sync.Mutex
	err error // guarded by mu: the first failure
}

func newRunning(ctx context.Context) *running {
	r := &running{}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

// start runs a component until the context ends. Ending before that is a failure and takes the others along.
func (r *running) start(name string, run func(context.Context) error) {
	r.wait.Go(func() {
		err := run(r.ctx)
		if r.ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		r.fail(fmt.Errorf("%s: %w", name, err))
	})
}

func (r *running) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	r.cancel()
}

func (r *running) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// stop ends all components and waits for them as long as stopTimeout allows.
func (r *running) stop() {
	r.cancel()
	ended := make(chan struct{})
	go func() {
		r.wait.Wait()
		for _, c := range r.closes {
			c()
		}
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(stopTimeout):
	}
}

// prepareDir makes the directory and returns its absolute path.
func prepareDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make directory: %w", err)
	}
	return dir, nil
}

// lockDir refuses a second instance on the same directory.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: a cluster already runs there: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}

// logTo sends what all components log to one writer and nothing to standard error.
func logTo(w io.Writer) error {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(flags)
	if err := flags.Parse([]string{"-logtostderr=false", "-stderrthreshold=FATAL", "-one_output"}); err != nil {
		return fmt.Errorf("set up the log: %w", err)
	}
	klog.SetOutput(w)
	return nil
}

// client returns a client that is not throttled.
func client(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS = -1
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return clients, nil
}
