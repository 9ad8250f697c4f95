module longpoll/clients

go 1.25.5

require (
	github.com/common-library/go v1.2.4
	github.com/jcuga/golongpoll v1.3.1
)

require (
	github.com/gofrs/uuid v4.4.0+incompatible // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/gorilla/mux v1.8.1 // indirect
)
