//! A storage that panics on demand.

use crate::Config;
use std::io::{self, Read, Write};
use tinsmith_plugin_api::{Result, Services, StorageBackend, Upload};

pub(crate) struct Bad(Config);

/// Reader and upload: each panics where the config says.
struct Stream(Config);

impl Read for Stream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.reach("read");
        Ok(0)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.reach("write");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.reach("flush");
        Ok(())
    }
}

impl Upload for Stream {
    fn commit(self: Box<Self>) -> Result<u64> {
        self.0.reach("commit");
        Ok(0)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.reach("drop");
    }
}

impl StorageBackend for Bad {
    const SCHEME: &'static str = "bad";
    type Config = Config;

    fn new(config: Config, _: Services) -> Result<Self> {
        config.reach("new");
        Ok(Self(config))
    }

    fn open(&self, _: &str, _: u64) -> Result<Box<dyn Read + Send>> {
        self.0.reach("open");
        Ok(Box::new(Stream(self.0.clone())))
    }

    fn create(&self, _: &str) -> Result<Box<dyn Upload>> {
        self.0.reach("create");
        Ok(Box::new(Stream(self.0.clone())))
    }

    fn create_if_absent(&self, _: &str, _: &[u8]) -> Result<bool> {
        self.0.reach("create_if_absent");
        Ok(true)
    }

    fn list(&self, _: &str, visit: &mut dyn FnMut(&str, u64) -> bool) -> Result<()> {
        self.0.reach("list");
        let _ = visit("one", 1);
        Ok(())
    }

    fn delete(&self, _: &str) -> Result<()> {
        self.0.reach("delete");
        Ok(())
    }

    fn exists(&self, _: &str) -> Result<bool> {
        self.0.reach("exists");
        Ok(true)
    }
}
