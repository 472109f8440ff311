// Package httpstate is a real server for Terraform's `backend "http"`, with faults on demand.
//
// Every path is a state of its own: GET reads it, POST writes it, DELETE removes it, LOCK and UNLOCK take and free its
// lock. A write must name the lock that is held. A test reads what was asked ([Handler.Requests]) and what is stored
// ([Handler.State], [Handler.History]), plants foreign locks ([Handler.SetLock]), lets requests fail
// ([Handler.Inject]) and acts at exact moments ([Handler.OnArrival], [Handler.BeforeAnswer]). Tests in another process
// do the same through paths that begin with /_ (see [Handler.ServeHTTP]), of the command in cmd or of a [Server].
//
// What a test must know of Terraform's client: it repeats a request that met a 5xx status or a cut connection twice,
// after a second or more, unless the backend says retry_max = 0; it writes in the midst of an apply at most every 20
// seconds, so a short apply is one write; `terraform force-unlock ID` sends an UNLOCK without a body: such a server
// cannot tell whose lock it breaks, and breaks any; and refused by a lock, Terraform prints under "Lock Info" the lock it
// wanted itself: of the holder it says the ID alone, before that.
package httpstate
