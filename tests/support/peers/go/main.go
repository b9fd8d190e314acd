// The routes of all peers in these tests, on Go's net/http/fcgi.
package main

import (
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func checksum(body io.Reader) string {
	hash := crc32.NewIEEE()
	length, err := io.Copy(hash, body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %08x", length, hash.Sum32())
}

// The package hides the params that became headers. These are the others.
func params(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "REQUEST_METHOD=%s\nREQUEST_URI=%s\nHTTP_HOST=%s\n", r.Method, r.URL.RequestURI(), r.Host)
	for name, values := range r.Header {
		variable := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		fmt.Fprintf(w, "HTTP_%s=%s\n", variable, strings.Join(values, ", "))
	}
	for name, value := range fcgi.ProcessEnv(r) {
		fmt.Fprintf(w, "%s=%s\n", name, value)
	}
}

func body(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, checksum(r.Body))
}

func upload(w http.ResponseWriter, r *http.Request) {
	file, header, err := r.FormFile("file")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%s %s", header.Filename, checksum(file))
}

func bytes(w http.ResponseWriter, r *http.Request) {
	piece := strings.Repeat("0123456789abcdef", 4096)
	left, _ := strconv.Atoi(r.URL.Query().Get("length"))
	for ; left > len(piece); left -= len(piece) {
		io.WriteString(w, piece)
	}
	io.WriteString(w, piece[:left])
}

func stream(w http.ResponseWriter, r *http.Request) {
	name := filepath.Join(os.Getenv("FCGI_BRIDGE_TEST_CONTROL"), r.URL.Query().Get("id"))
	io.WriteString(w, "first\n")
	w.(http.Flusher).Flush()
	os.WriteFile(name+".held", nil, 0o644)
	for {
		if _, err := os.Stat(name + ".continue"); err == nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	io.WriteString(w, "last\n")
}

func redirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/params?redirected", http.StatusFound)
}

func nothing(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusNotFound)
	io.WriteString(w, "nothing here\n")
}

func main() {
	network := "tcp"
	if strings.HasPrefix(os.Args[1], "/") {
		network = "unix"
	}
	listener, err := net.Listen(network, os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	http.HandleFunc("/params", params)
	http.HandleFunc("/body", body)
	http.HandleFunc("/upload", upload)
	http.HandleFunc("/bytes", bytes)
	http.HandleFunc("/stream", stream)
	http.HandleFunc("/redirect", redirect)
	http.HandleFunc("/", nothing)
	fmt.Fprintln(os.Stderr, fcgi.Serve(listener, nil))
}
