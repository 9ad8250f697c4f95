package Source;

# C sources and pages, as the tools in tools/ read them.

use strict;
use warnings;

use Exporter qw( import );
use File::Basename qw( basename );

our @EXPORT_OK = qw( bare name slurp );

sub slurp {
    my ($file) = @_;

    open my $in, '<:encoding(UTF-8)', $file or die "$file: $!\n";
    local $/;
    return scalar <$in>;
}

# comments and strings become blanks, lines stay where they are

sub bare {
    my ($code) = @_;

    return $code =~ s{(/\*.*?\*/|"(?:\\.|[^"\\\n])*")}
                     {$1 =~ s/[^\n]/ /gr}gesr;
}

# "publish" for ngx_http_longpoll_publish.[ch], "words" for ngx_http_longpoll.h

sub name {
    my ($file) = @_;

    return basename($file) =~ /^ngx_http_longpoll(?:_(\w+))?\.[ch]$/
           ? $1 // 'words' : undef;
}

1;
