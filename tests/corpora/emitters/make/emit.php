<?php
// What php-yaml writes: php -d date.timezone=Europe/Berlin emit.php FOLDER
$top = $argv[1];
$folder = "$top/php-yaml-" . phpversion('yaml');
@mkdir($folder);
function data($kind) { global $top; return json_decode(file_get_contents("$top/$kind.json"), true); }
function write($kind, $value) {
    global $folder;
    file_put_contents("$folder/$kind.yaml", yaml_emit($value, YAML_UTF8_ENCODING));
}
$shared = data('wave');
array_splice($shared['schedules'], 2);
$copied = $shared;
$copied['schedules'][1]['channels'] = $copied['schedules'][0]['channels'];
$shared['schedules'][1]['channels'] = &$shared['schedules'][0]['channels'];
$native = data('wave');
$native['schedules'][0]['at'] = new DateTime('2030-03-01T18:00:00Z');
$native['schedules'][1]['at'] = new DateTime('2030-03-02T09:00:00');
write('wave', data('wave'));
write('channel', data('channel'));
write('shared', $shared);
write('copied', $copied);
write('native-zone', $native);
write('loaded', yaml_parse(file_get_contents("$top/wave.yaml")));
write('channel-loaded', yaml_parse(file_get_contents("$top/channel.yaml")));
