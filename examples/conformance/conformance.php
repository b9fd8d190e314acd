<?php
// The routes for PHP-FPM and php-cgi. PATH_INFO selects one.

[, $route, $number] = explode('/', $_SERVER['PATH_INFO'] . '/');
$number = (int) $number;
header('Content-Type: text/plain');
while (ob_get_level() > 0) ob_end_clean();

switch ($route) {
    case 'params':
        foreach ($_SERVER as $name => $value) {
            if (is_string($value)) echo bin2hex($name), '=', bin2hex($value), "\n";
        }
        break;

    case 'body':
        echo file_get_contents('php://input');
        break;

    case 'echo':
        echo "begun\n";
        flush();
        for ($input = fopen('php://input', 'rb'); !feof($input); flush()) echo fread($input, 4096);
        break;

    case 'bytes':
        echo substr(str_repeat('0123456789', intdiv($number, 10) + 1), 0, $number);
        break;

    case 'slow':
        usleep($number * 1000);
        echo 'slow';
        break;

    case 'status':
        http_response_code($number);
        break;

    case 'stderr':
        for ($i = 0; $i < 100; $i++) {
            echo "out $i\n";
            // Type 4 is the log of the SAPI, which is FCGI_STDERR.
            error_log("err $i", 4);
        }
        break;

    case 'authorize':
        header('Variable-CONFORMANCE: yes');
        break;

    case 'exit':
    case 'data':
    case 'hints':
        // PHP has no application status, passes no FCGI_DATA to a script, and sends no interim responses.
        http_response_code(501);
        break;

    default:
        http_response_code(404);
}
