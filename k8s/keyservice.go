package k8s

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// keyService asks a `sops keyservice` for the keys of files: the library's own program, which has the software
// of the clouds, their credentials or a PGP agent, so that this process has none of them.
type keyService struct {
	socket string
	client *http.Client
}

// keyServiceTimeout is how long one answer may take.
const keyServiceTimeout = 30 * time.Second

func newKeyService(socket string) *keyService {
	var plain http.Protocols
	plain.SetUnencryptedHTTP2(true)
	return &keyService{socket: socket, client: &http.Client{Timeout: keyServiceTimeout, Transport: &http.Transport{
		Protocols:         &plain,
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// decrypt makes the one call that is needed, KeyService.Decrypt of gRPC: a message behind five bytes, a flag
// and its length, each way, and the outcome in the trailer.
func (s *keyService) decrypt(message []byte) ([]byte, error) {
	body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	request, err := http.NewRequest(http.MethodPost, "http://sops/KeyService/Decrypt", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	response, err := s.client.Do(request)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, fmt.Errorf("ask the key service at %s: %w", s.socket, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("ask the key service at %s: %w", s.socket, err)
	}
	outcome := response.Trailer
	if response.Header.Get("Grpc-Status") != "" {
		outcome = response.Header
	}
	if status := outcome.Get("Grpc-Status"); status != "0" {
		said, _ := url.PathUnescape(outcome.Get("Grpc-Message"))
		return nil, fmt.Errorf("the key service refuses: %s (status %q)", unwrapped(said), status)
	}
	if len(answer) < 5 {
		return nil, errors.New("the key service answers with nothing")
	}
	for rest := answer[5:]; len(rest) > 0; {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			break
		}
		if number == 1 && kind == protowire.BytesType {
			if key, m := protowire.ConsumeBytes(rest[n:]); m >= 0 {
				return key, nil
			}
		}
		m := protowire.ConsumeFieldValue(number, kind, rest[n:])
		if m < 0 {
			break
		}
		rest = rest[n+m:]
	}
	return nil, errors.New("the key service's answer cannot be read")
}
