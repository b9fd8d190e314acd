<?php
// The routes of all peers in these tests, in PHP. PATH_INFO selects one.

function checksum(int $length, HashContext $hash): string
{
    return $length . ' ' . hash_final($hash);
}

function checksumOf(string $file): string
{
    $input = fopen($file, 'rb');
    $hash = hash_init('crc32b');
    $length = hash_update_stream($hash, $input);
    return checksum($length, $hash);
}

header('Content-Type: text/plain');
switch ($_SERVER['PATH_INFO'] ?? '') {
    case '/params':
        foreach ($_SERVER as $name => $value) {
            if (is_string($value)) echo "$name=$value\n";
        }
        break;

    case '/body':
        echo checksumOf('php://input');
        break;

    case '/upload':
        $file = $_FILES['file'];
        echo $file['name'], ' ', checksumOf($file['tmp_name']);
        break;

    case '/bytes':
        $piece = str_repeat('0123456789abcdef', 4096);
        for ($left = (int) $_GET['length']; $left > 0; $left -= strlen($piece)) {
            echo $left < strlen($piece) ? substr($piece, 0, $left) : $piece;
        }
        break;

    case '/stream':
        $name = getenv('FCGI_BRIDGE_TEST_CONTROL') . '/' . $_GET['id'];
        echo "first\n";
        flush();
        touch("$name.held");
        while (!file_exists("$name.continue")) {
            usleep(5000);
            clearstatcache();
        }
        echo "last\n";
        break;

    case '/stderr':
        // Type 4 is the SAPI's log, which is FCGI_STDERR.
        error_log('a line for FCGI_STDERR', 4);
        echo "written\n";
        break;

    case '/redirect':
        header('Location: /params?redirected', true, 302);
        break;

    case '/count':
        // Each run writes a line, even if the response fails.
        file_put_contents(getenv('FCGI_BRIDGE_TEST_CONTROL') . '/count', getmypid() . "\n", FILE_APPEND | LOCK_EX);
        echo getmypid();
        break;

    default:
        http_response_code(404);
        echo "nothing here\n";
}
