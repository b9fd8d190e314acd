<?php
// Sends each request to a Node app over FastCGI, and starts the app when it does not run. For hosts that run nothing but PHP.
// Written by `fcgi-bridge init php`. Needs PHP 7.4 or later, and no extension.
// https://fastcgi-archives.github.io/FastCGI_Specification.html

namespace FcgiBridge;

// The settings. Change them as you like.

// Where the app listens.
const ADDRESS = '/home/you/app/tmp/app.sock';
// The command that starts the app, with its arguments. Empty: PHP never starts it.
const COMMAND = [];
// The working directory of the command.
const FOLDER = '/home/you/app';
// The file to which the command writes its errors. Error pages name it.
const LOG_FILE = '/home/you/app/tmp/app.log';
// How long a request waits for the app to accept a connection, in seconds.
const CONNECT_SECONDS = 10;

// Record types and other constants of the specification, section 8.
const BEGIN_REQUEST = 1;
const END_REQUEST = 3;
const PARAMS = 4;
const STDIN = 5;
const STDOUT = 6;
const STDERR = 7;
const RESPONDER = 1;
const REQUEST_COMPLETE = 0;
const MAX_CONTENT = 65535;

// How many bytes of the request body are read at a time.
const PIECE = 32768;

final class Failure extends \Exception
{
    public int $status;
    /** What the client sees of the reason. Visitors read it, so it must not contain full paths or the output of the app. */
    public string $shown;

    public function __construct(int $status, string $message, string $shown = '')
    {
        parent::__construct($message);
        $this->status = $status;
        $this->shown = $shown;
    }
}

main();

function main(): void
{
    prepareOutput();
    $response = new Response();
    try {
        $body = body();
        relay(connectOrStart(), $body, $response);
    } catch (Failure $failure) {
        error_log('fcgi-bridge: ' . $failure->getMessage());
        if (!$response->isBegun()) showFailure($failure);
    }
}

// PHP must not change the response: no compression, no default headers, no buffer.
function prepareOutput(): void
{
    if (function_exists('set_time_limit')) @set_time_limit(0);
    ini_set('zlib.output_compression', '0');
    ini_set('default_mimetype', '');
    ini_set('default_charset', '');
    ini_set('display_errors', '0');
    header_remove('X-Powered-By');
    while (ob_get_level() > 0) ob_end_clean();
}

/** @return resource */
function connectOrStart()
{
    $error = '';
    $socket = connect($error);
    if ($socket !== null) return $socket;
    if (COMMAND === []) {
        throw addressFailure('The app does not listen on', "($error). Start it.");
    }
    // One request starts the app. The others wait for the lock, and then find the app running.
    // e: the app must not inherit the lock.
    $lock = @fopen(lockFile(), 'ce');
    if ($lock === false || !flock($lock, LOCK_EX)) {
        throw permissionFailure();
    }
    try {
        $socket = connect($error);
        if ($socket !== null) return $socket;
        startApp();
        $socket = connect($error);
        if ($socket !== null) return $socket;
        throw new Failure(503, 'The app was started, and does not listen on ' . ADDRESS . " ($error). See " . LOG_FILE . '.');
    } finally {
        fclose($lock);
    }
}

function lockFile(): string
{
    return LOG_FILE . '.lock';
}

function permissionFailure(): Failure
{
    $id = function_exists('posix_geteuid') ? posix_geteuid() : null;
    $user = $id === null ? 'USER' : (posix_getpwuid($id)['name'] ?? $id);
    // The page has commands only if a user can run them in the folder of the app.
    $shown = isInFolder(LOG_FILE) ? permissionAdvice((string) $user, shownPath(LOG_FILE), ' in the folder of the app', 'there, ') : '';
    return new Failure(503, permissionAdvice((string) $user, LOG_FILE, '', ''), $shown);
}

function permissionAdvice(string $user, string $log, string $place, string $there): string
{
    $folder = dirname($log);
    $paths = escapeshellarg($folder) . ' ' . escapeshellarg($log);
    return "PHP runs as user $user, which may not write to $folder$place. Run these commands {$there}as your own user:

  mkdir -p " . escapeshellarg($folder) . '
  touch ' . escapeshellarg($log) . "
  setfacl -m u:$user:rwX $paths

If the host has no setfacl, use `chmod a+rwX $paths` instead. All users of the host can then write there.";
}

function addressFailure(string $before, string $after): Failure
{
    return new Failure(503, "$before " . ADDRESS . " $after", "$before " . shownPath(ADDRESS) . " $after");
}

// Pages name a file relative to the folder of the app. Visitors must not learn the folders above it.
function shownPath(string $path): string
{
    return isInFolder($path) ? substr($path, strlen(FOLDER) + 1) : basename($path);
}

function isInFolder(string $path): bool
{
    return strpos($path, FOLDER . '/') === 0;
}

/** @return resource|null A connection, or null with the reason in $error when nothing listens. */
function connect(string &$error)
{
    if (!function_exists('stream_socket_client')) {
        throw new Failure(503, 'This host does not let PHP open sockets: stream_socket_client is in disable_functions. Ask the host to allow it.');
    }
    $target = ADDRESS[0] === '/' ? 'unix://' . ADDRESS : 'tcp://' . ADDRESS;
    $deadline = microtime(true) + CONNECT_SECONDS;
    do {
        $socket = @stream_socket_client($target, $code, $error, CONNECT_SECONDS);
        if ($socket !== false) return $socket;
        // EAGAIN: the queue of a Unix socket is full. PHP gives no constants for these codes. They are those of Linux.
        $isFull = $code === 11;
        if ($isFull) usleep(20000);
    } while ($isFull && microtime(true) < $deadline);
    if ($code === 13) {
        throw addressFailure('PHP may not connect to', '(permission denied). Run the app as the user of PHP, or start it with --mode 666.');
    }
    if ($isFull) throw new Failure(503, 'The app does not accept connections on ' . ADDRESS . '. It is overloaded or hangs.');
    return null;
}

// The command returns when the app listens, and has then detached itself from PHP.
function startApp(): void
{
    if (!function_exists('proc_open')) {
        $reason = 'The app does not run, and this host does not let PHP start it: proc_open is in disable_functions.';
        throw new Failure(503, "$reason Start it with cron: @reboot " . implode(' ', COMMAND), "$reason Start it with cron.");
    }
    $process = @proc_open(COMMAND, [['file', '/dev/null', 'r'], ['pipe', 'w'], ['redirect', 1]], $pipes, FOLDER);
    if (!is_resource($process)) throw new Failure(503, 'PHP cannot run ' . COMMAND[0] . '. Correct COMMAND in index.php.');
    $output = stream_get_contents($pipes[1]);
    fclose($pipes[1]);
    $status = proc_close($process);
    if ($status !== 0) throw new Failure(503, "The app does not start (exit status $status). " . trim((string) $output));
}

/**
 * PHP has read the body of a POST before this script runs, unless enable_post_data_reading is off. If the body is incomplete, the
 * app is not called.
 *
 * @return resource
 */
function body()
{
    $body = fopen('php://input', 'rb');
    $length = (int) ($_SERVER['CONTENT_LENGTH'] ?? 0);
    if ($_SERVER['REQUEST_METHOD'] === 'POST' && $length > 0 && ini_get('enable_post_data_reading')) {
        fseek($body, 0, SEEK_END);
        $read = (int) ftell($body);
        if ($read < $length) throw shortBody($length, $read);
        rewind($body);
    }
    return $body;
}

/**
 * @param resource $socket
 * @param resource $body
 */
function relay($socket, $body, Response $response): void
{
    stream_set_blocking($socket, false);
    $output = head();
    $isBodyRead = false;
    $length = (int) ($_SERVER['CONTENT_LENGTH'] ?? 0);
    $missing = $length;
    $records = new Records($response);
    while (true) {
        if ($output === '' && !$isBodyRead) {
            $piece = fread($body, PIECE);
            $isBodyRead = $piece === '' || $piece === false;
            $missing -= strlen((string) $piece);
            // Close the connection, so that the app sees an abort and not a complete body.
            if ($isBodyRead && $missing > 0) throw shortBody($length, $length - $missing);
            // An empty record ends the stream.
            $output = record(STDIN, $isBodyRead ? '' : $piece);
        }
        $readable = [$socket];
        $writable = $output === '' ? null : [$socket];
        $except = null;
        if (@stream_select($readable, $writable, $except, null) === false) {
            throw new Failure(502, 'PHP cannot wait for the app.');
        }
        if ($readable !== []) {
            $chunk = fread($socket, MAX_CONTENT);
            if ($chunk === '' || $chunk === false) {
                if (!feof($socket)) continue;
                throw new Failure(502, 'The app closed the connection before its response was complete.');
            }
            if ($records->take($chunk)) return;
        }
        if ($writable) {
            $written = @fwrite($socket, $output);
            // The app no longer reads. Its response may still arrive.
            if ($written === false) [$output, $isBodyRead] = ['', true];
            else $output = (string) substr($output, $written);
        }
    }
}

function shortBody(int $length, int $read): Failure
{
    if ($read > 0) return new Failure(400, 'The client left before the request body was complete.');
    $max = bytesOf((string) ini_get('post_max_size'));
    if ($max > 0 && $length > $max) {
        $reason = "PHP drops request bodies over $max bytes. Raise post_max_size in .user.ini, or as php_value in .htaccess (mod_php).";
        return new Failure(413, $reason, $reason);
    }
    return new Failure(500, 'PHP has read the uploaded form itself, and its bytes are gone. Keep the lines of .htaccess that hide Content-Type'
        . ' from PHP, or set enable_post_data_reading = Off in php.ini.');
}

// A size as php.ini has it: 8M, 64K.
function bytesOf(string $text): int
{
    $units = ['K' => 1024, 'M' => 1048576, 'G' => 1073741824];
    return (int) $text * ($units[strtoupper(substr(trim($text), -1))] ?? 1);
}

// FCGI_BEGIN_REQUEST without FCGI_KEEP_CONN, then FCGI_PARAMS (sections 5.1 and 5.2).
function head(): string
{
    $pairs = '';
    foreach (params() as $name => $value) $pairs .= size($name) . size($value) . $name . $value;
    $head = record(BEGIN_REQUEST, pack('nC6', RESPONDER, 0, 0, 0, 0, 0, 0));
    foreach (str_split($pairs, MAX_CONTENT) as $piece) $head .= record(PARAMS, $piece);
    return $head . record(PARAMS, '');
}

/** @return array<string, string> The params of RFC 3875 and those that web servers add. */
function params(): array
{
    $params = [];
    foreach ($_SERVER as $name => $value) {
        if (is_string($value) && isParam($name)) $params[$name] = $value;
    }
    // mod_php keeps this header from the environment.
    if (!isset($params['HTTP_AUTHORIZATION']) && function_exists('getallheaders')) {
        $headers = array_change_key_case(getallheaders() ?: []);
        if (isset($headers['authorization'])) $params['HTTP_AUTHORIZATION'] = $headers['authorization'];
    }
    // The app ignores a length of 0 that the web server has added, and recognizes the client's own length by this header. Only CGI
    // servers add a length.
    if (isset($params['CONTENT_LENGTH']) && PHP_SAPI !== 'cgi-fcgi') {
        $params['HTTP_CONTENT_LENGTH'] = $params['CONTENT_LENGTH'];
    }
    // .htaccess hides the type of a form from PHP. After a rewrite Apache calls the variable REDIRECT_….
    $type = $_SERVER['FORM_TYPE'] ?? $_SERVER['REDIRECT_FORM_TYPE'] ?? '';
    if ($type !== '') $params['CONTENT_TYPE'] = $params['HTTP_CONTENT_TYPE'] = $type;
    // The mount is the folder of this script. The app is started with `--mount script-name`.
    $mount = rtrim(dirname($_SERVER['SCRIPT_NAME']), '/');
    $path = explode('?', $_SERVER['REQUEST_URI'], 2)[0];
    $params['SCRIPT_NAME'] = $mount;
    $params['PATH_INFO'] = rawurldecode(strpos($path, $mount) === 0 ? substr($path, strlen($mount)) : $path);
    $params['GATEWAY_INTERFACE'] = 'CGI/1.1';
    return $params;
}

function isParam(string $name): bool
{
    return preg_match('/^(?:HTTP|SERVER|REMOTE|REQUEST|SSL)_[A-Z0-9_]+$/D', $name) === 1 || in_array($name, [
        'AUTH_TYPE', 'CONTENT_LENGTH', 'CONTENT_TYPE', 'DOCUMENT_ROOT', 'HTTPS', 'QUERY_STRING', 'REDIRECT_HTTP_AUTHORIZATION',
    ], true);
}

// Section 3.4: a length below 128 is one byte, any other is four.
function size(string $text): string
{
    $length = strlen($text);
    return $length < 128 ? chr($length) : pack('N', $length | 0x80000000);
}

// Section 3.3. The request id is 1: a connection carries one request.
function record(int $type, string $content): string
{
    return pack('CCnnCC', 1, $type, 1, strlen($content), 0, 0) . $content;
}

/** The records that the app sends. */
final class Records
{
    private string $input = '';
    private Response $response;

    public function __construct(Response $response)
    {
        $this->response = $response;
    }

    /** Takes the next bytes. Returns whether the response is complete. */
    public function take(string $chunk): bool
    {
        $input = $this->input . $chunk;
        $length = strlen($input);
        $offset = 0;
        while ($length - $offset >= 8) {
            $header = unpack('Cversion/Ctype/nid/nsize/Cpadding/Creserved', $input, $offset);
            $end = $offset + 8 + $header['size'] + $header['padding'];
            if ($end > $length) break;
            $content = substr($input, $offset + 8, $header['size']);
            $offset = $end;
            if ($header['type'] === STDOUT) $this->response->write($content);
            elseif ($header['type'] === STDERR && $content !== '') error_log(rtrim($content));
            elseif ($header['type'] === END_REQUEST) {
                $this->end(ord($content[4] ?? "\0"));
                return true;
            }
        }
        $this->input = (string) substr($input, $offset);
        return false;
    }

    private function end(int $protocolStatus): void
    {
        if ($protocolStatus !== REQUEST_COMPLETE) {
            throw new Failure(503, "The app refused the request (protocolStatus $protocolStatus).");
        }
        $this->response->end();
    }
}

/** A CGI response (RFC 3875 section 6) that becomes PHP's. */
final class Response
{
    private string $head = '';
    private bool $isBegun = false;

    public function isBegun(): bool
    {
        return $this->isBegun;
    }

    public function write(string $content): void
    {
        if ($content === '') return;
        if ($this->isBegun) {
            echo $content;
        } else {
            $this->head .= $content;
            if (preg_match('/\r?\n\r?\n/', $this->head, $found, PREG_OFFSET_CAPTURE) !== 1) return;
            [$end, $at] = $found[0];
            $body = (string) substr($this->head, $at + strlen($end));
            $this->begin(substr($this->head, 0, $at));
            echo $body;
        }
        flush();
    }

    public function end(): void
    {
        if (!$this->isBegun) throw new Failure(502, 'The app sent no complete response head.');
    }

    private function begin(string $head): void
    {
        $this->isBegun = true;
        $status = 200;
        foreach (preg_split('/\r?\n/', $head) as $line) {
            if (stripos($line, 'Status:') === 0) $status = (int) trim(substr($line, 7));
            else header($line, false);
        }
        // Set the status last: header() changes it for Location and WWW-Authenticate.
        http_response_code($status);
    }
}

function showFailure(Failure $failure): void
{
    http_response_code($failure->status);
    header('Content-Type: text/plain; charset=utf-8');
    header('Cache-Control: no-store');
    echo $failure->status, '. The app did not respond. ';
    if ($failure->shown !== '') echo $failure->shown, "\n";
    else echo "The reason is in PHP's error log", LOG_FILE === '' ? '' : ', and in ' . shownLog(), ".\n";
}

function shownLog(): string
{
    return shownPath(LOG_FILE) . (isInFolder(LOG_FILE) ? ' in the folder of the app' : '');
}
