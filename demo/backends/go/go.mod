module longpoll/jobs

go 1.25.0

require (
	github.com/gorilla/sessions v1.4.0
	github.com/jcuga/golongpoll v1.3.1
)

require (
	github.com/gofrs/uuid v4.0.0+incompatible // indirect
	github.com/gorilla/securecookie v1.1.2 // indirect
)
