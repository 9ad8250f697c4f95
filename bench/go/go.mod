module longpoll/bench

go 1.19

require github.com/jcuga/golongpoll v1.3.1

require github.com/gofrs/uuid v4.4.0+incompatible // indirect
