# What YAML::XS and YAML::PP write: perl emit.pl FOLDER
use strict;
use warnings;
use JSON::PP;
use Storable 'dclone';
use Time::Piece;
use YAML::PP;
use YAML::XS;

$YAML::XS::Boolean = 'JSON::PP';
my $top = shift;
my $pp = YAML::PP->new(boolean => 'JSON::PP');

sub text { open my $in, '<:raw', "$top/$_[0]" or die $!; local $/; return scalar <$in> }
sub data { return decode_json(text("$_[0].json")) }

sub write_all {
    my ($folder, $dump, $load) = @_;
    mkdir $folder;
    my $write = sub {
        my ($kind, $value) = @_;
        open my $out, '>:raw', "$folder/$kind.yaml" or die $!;
        print $out $dump->($value);
    };
    my $shared = data('wave');
    splice @{$shared->{schedules}}, 2;
    $shared->{schedules}[1]{channels} = $shared->{schedules}[0]{channels};
    my $copied = data('wave');
    splice @{$copied->{schedules}}, 2;
    $copied->{schedules}[1]{channels} = dclone($copied->{schedules}[0]{channels});
    my $native = data('wave');
    $native->{schedules}[0]{at} = gmtime(1898618400);
    $write->('wave', data('wave'));
    $write->('channel', data('channel'));
    $write->('shared', $shared);
    $write->('copied', $copied);
    $write->('native-class', $native);
    $write->('loaded', $load->(text('wave.yaml')));
    $write->('channel-loaded', $load->(text('channel.yaml')));
}

write_all("$top/yaml-xs-$YAML::XS::VERSION", \&YAML::XS::Dump, \&YAML::XS::Load);
write_all(
    "$top/yaml-pp-$YAML::PP::VERSION",
    sub { my $t = $pp->dump_string($_[0]); utf8::encode($t) if utf8::is_utf8($t); $t },
    sub { my $t = $_[0]; utf8::decode($t); $pp->load_string($t) },
);
