<?php

[, $url, $category, $text] = $argv;
$event = json_encode(['category' => $category, 'data' => ['text' => $text]]);
$post = ['method' => 'POST', 'header' => 'Content-Type: application/json',
         'content' => $event, 'timeout' => 5];

file_get_contents($url, false, stream_context_create(['http' => $post]))
    or exit(1);
