<?php

// Chat rooms, with PHP-FPM.
//
// A poll names its room.  PHP checks that the user may be there and hands the
// poll to nginx, where it waits.  So two PHP processes are enough.

declare(strict_types=1);

// a real application has these in its database: hash of the password, rooms
const USERS = [
    'ann'  => ['$2y$10$X.D/GuAX8.pyJUgTWJtUtOXSREHBXCUISomH/x90CLSQ/X6GtDwnC',
               ['kitchen', 'stable']],
    'ben'  => ['$2y$10$mpHYdXQz9fdfl1CmoKomb.V2g.9c0bseSu8b189lj7r2XfbG8CXXG',
               ['kitchen']],
    'cleo' => ['$2y$10$968mBWj24wRFBLckbRHHVOJOdHA6144ivEfKB.heSJJglx2UltMHK',
               ['stable']],
];

session_start([
    'cookie_httponly' => true,
    'cookie_samesite' => 'Lax',
    'use_strict_mode' => true,
]);

$user = $_SESSION['user'] ?? null;
$rooms = USERS[$user ?? ''][1] ?? [];

match ("$_SERVER[REQUEST_METHOD] " . strtok($_SERVER['REQUEST_URI'], '?')) {
    'GET /'        => require 'page.php',
    'GET /events'  => events($user, $rooms),
    'POST /say'    => say($user, $rooms),
    'POST /login'  => login(),
    'POST /logout' => logout(),
    default        => http_response_code(404),
};

function events(?string $user, array $rooms): void
{
    if ($room = room($user, $rooms, $_GET)) {
        $cursor = array_intersect_key($_GET, ['timeout' => 1, 'since_time' => 1,
                                              'last_id' => 1]);
        $poll = http_build_query(['category' => "room:$room"] + $cursor);
        header("X-Accel-Redirect: /polls?$poll");
    }
}

function say(?string $user, array $rooms): void
{
    if ($room = room($user, $rooms, $_POST)) {
        $text = substr((string) ($_POST['text'] ?? ''), 0, 1000);
        publish("room:$room", ['from' => $user, 'text' => $text]);
        http_response_code(204);
    }
}

// Returns the requested room if this user may be there.
function room(?string $user, array $rooms, array $asked): ?string
{
    $room = $asked['room'] ?? '';

    if ($user !== null && in_array($room, $rooms, true)) {
        return $room;
    }

    http_response_code($user === null ? 401 : 403);
    return null;
}

function publish(string $category, mixed $data): void
{
    $event = json_encode(['category' => $category, 'data' => $data],
                         JSON_INVALID_UTF8_SUBSTITUTE);
    $post = ['method' => 'POST', 'header' => 'Content-Type: application/json',
             'content' => $event, 'timeout' => 5];

    file_get_contents(getenv('PUBLISH'), false,
                      stream_context_create(['http' => $post]))
        or throw new RuntimeException('not published');
}

function login(): void
{
    $name = (string) ($_POST['name'] ?? '');
    $hash = USERS[$name][0] ?? '';

    if (!password_verify((string) ($_POST['password'] ?? ''), $hash)) {
        http_response_code(403);
        $wrong = true;
        require 'page.php';
        return;
    }

    session_regenerate_id(true);
    $_SESSION['user'] = $name;
    header('Location: /', true, 303);
}

function logout(): void
{
    session_destroy();
    header('Location: /', true, 303);
}
