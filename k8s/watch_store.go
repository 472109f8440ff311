package k8s

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// The methods of a cache.ReflectorStore. Of each object only what deciding needs is kept: some 400 bytes instead of several
// thousand, most of which are managed fields.

// Add takes in an object that has appeared, or begun to carry the label.
func (s *watched) Add(object any) error { return s.Update(object) }

// Update takes in an object that has changed.
func (s *watched) Update(object any) error {
	m, err := s.metadata(object)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = m.ResourceVersion
	s.put(s.id(m), liveOf(m))
	return nil
}

// Delete takes in that an object is gone, or no longer carries the label.
func (s *watched) Delete(object any) error {
	m, err := s.metadata(object)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = m.ResourceVersion
	if id := s.id(m); !older(m.ResourceVersion, s.live[id].ResourceVersion) {
		delete(s.live, id)
	}
	return nil
}

// Replace takes in everything that is there.
func (s *watched) Replace(objects []any, version string) error {
	live := make(map[ID]Live, len(objects))
	for _, object := range objects {
		m, err := s.metadata(object)
		if err != nil {
			return err
		}
		live[s.id(m)] = liveOf(m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live, s.known, s.lost, s.newest = live, true, nil, version
	s.told()
	return nil
}

// Bookmark takes in that everything until a version has been shown: a watch that was lost has caught up.
func (s *watched) Bookmark(version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest, s.lost = version, nil
	return nil
}

// Resync does nothing: nobody is told of changes.
func (s *watched) Resync() error { return nil }

func (s *watched) metadata(object any) (*metav1.PartialObjectMetadata, error) {
	m, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return nil, fmt.Errorf("the watch of %s shows a %T", s.kind.resource, object)
	}
	return m, nil
}

func (s *watched) id(m *metav1.PartialObjectMetadata) ID {
	return ID{Group: s.kind.group, Kind: s.kind.kind, Namespace: m.Namespace, Name: m.Name}
}

// wrote takes in the answer to a write of ours, unless the watch has come that far: then it has shown the write, and what came of it.
func (s *watched) wrote(id ID, live Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == "" || older(s.newest, live.ResourceVersion) {
		s.put(id, live)
	}
}

// put keeps what is newest: an answer to a write of ours may come before the watch shows what was before it. The caller holds mu.
func (s *watched) put(id ID, live Live) {
	if !older(live.ResourceVersion, s.live[id].ResourceVersion) {
		s.live[id] = live
	}
}

// older tells whether version a is certainly before b.
func older(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
