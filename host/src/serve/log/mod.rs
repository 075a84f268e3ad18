/*!
The log of a model: what it was asked to do, on the disk before the client is promised a result.

With it a server that was killed does again what came after the last snapshot, gradients included, and
its clients go on as if nothing had happened. That is so for trainers that compute the same bytes again;
others have no log.

```text
STATE/logs/MODEL/log              requests as they came, and marks of saves that were done
STATE/logs/MODEL/snapshot.json    where to begin, and the results that nobody has read yet
```
*/

mod file;
mod snapshot;

pub use file::{Entry, Head, Log};
pub use snapshot::{Kept, Snapshot};
