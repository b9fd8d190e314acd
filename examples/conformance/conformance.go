// The routes on Go's net/http/fcgi. The argument is the path or HOST:PORT to listen on.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"strconv"
	"strings"
	"time"
)

func params(w http.ResponseWriter, r *http.Request) {
	for name, value := range fcgi.ProcessEnv(r) {
		fmt.Fprintf(w, "%x=%x\n", name, value)
	}
}

func body(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Write(content)
}

func echo(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "begun\n")
	piece := make([]byte, 4096)
	for {
		w.(http.Flusher).Flush()
		count, err := r.Body.Read(piece)
		w.Write(piece[:count])
		if err != nil {
			return
		}
	}
}

// The number after the route.
func number(r *http.Request) int {
	value, _ := strconv.Atoi(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
	return value
}

func bytes(w http.ResponseWriter, r *http.Request) {
	count := number(r)
	io.WriteString(w, strings.Repeat("0123456789", count/10+1)[:count])
}

func slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(time.Duration(number(r)) * time.Millisecond):
		io.WriteString(w, "slow")
	case <-r.Context().Done():
	}
}

func status(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(number(r))
}

func authorize(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Variable-CONFORMANCE", "yes")
}

func hints(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusEarlyHints)
	io.WriteString(w, "hints")
}

// The package has no FCGI_STDERR, no FCGI_DATA, and no application status.
func unable(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusNotImplemented)
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
	http.HandleFunc("/echo", echo)
	http.HandleFunc("/bytes/", bytes)
	http.HandleFunc("/slow/", slow)
	http.HandleFunc("/status/", status)
	http.HandleFunc("/authorize", authorize)
	http.HandleFunc("/hints", hints)
	http.HandleFunc("/stderr", unable)
	http.HandleFunc("/exit/", unable)
	http.HandleFunc("/data", unable)
	fmt.Fprintln(os.Stderr, fcgi.Serve(listener, nil))
}
