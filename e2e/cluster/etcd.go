package main

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// etcd starts a single-member etcd below dir and returns the URL its clients use.
func (r *running) etcd(dir string) (string, error) {
	anyPort := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "etcd")
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{anyPort}, []url.URL{anyPort}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{anyPort}, []url.URL{anyPort}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.UnsafeNoFsync = true // the objects of a test need not survive a power cut
	config.LogLevel = "warn"
	config.LogOutputs = []string{filepath.Join(dir, "etcd.log")}
	// One member elects itself; the default second of waiting for others would be half the start.
	config.TickMs, config.ElectionMs = 10, 100

	server, err := embed.StartEtcd(config)
	if err != nil {
		return "", fmt.Errorf("start etcd: %w", err)
	}
	r.closes = append(r.closes, server.Close)
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(startTimeout):
		return "", errors.New("start etcd: not ready in time")
	case <-r.ctx.Done():
		return "", r.ctx.Err()
	}
	go func() {
		if err, ok := <-server.Err(); ok && err != nil {
			r.fail(fmt.Errorf("etcd: %w", err))
		}
	}()
	return "http://" + server.Clients[0].Addr().String(), nil
}
