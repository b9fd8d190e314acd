// The handler of the other programs in Go, on its standard library's FastCGI.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"strings"
)

const text = "Hello, world!"

func hello(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	io.WriteString(w, text)
}

func main() {
	network, address := "unix", os.Args[1]
	if !strings.HasPrefix(address, "/") {
		network, address = "tcp", "127.0.0.1:"+address
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		// The benchmark has ended.
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println("listening")
	fmt.Fprintln(os.Stderr, fcgi.Serve(listener, http.HandlerFunc(hello)))
}
