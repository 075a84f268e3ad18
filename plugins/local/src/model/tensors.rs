//! The weights of a model directory: found, checked, and lent in their own dtype.

use super::{ModelConfig, mapped::map};
use crate::{kernels::Weights, layout::WeightId};
use memmap2::Mmap;
use pulp::bytemuck;
use safetensors::{Dtype, SafeTensors, tensor::TensorInfo};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};
use tinsmith_plugin_api::{Error, ErrorKind, Result};

/// One weight.
#[derive(Debug)]
enum Tensor {
    /// A range of a mapped file, aligned for its dtype.
    Mapped { file: Arc<Mmap>, range: Range<usize>, dtype: Dtype },
    /// Values of its own: norms, which are small and wanted as f32, and what is not aligned.
    Owned(Vec<f32>),
}

/// All weights of a model, in the order of [`WeightId::all`].
#[derive(Debug)]
pub(super) struct Tensors(Vec<Tensor>);

impl Tensors {
    /// Opens the weights of a directory and checks every one: presence, shape, dtype, bounds, and
    /// that each value is finite.
    pub(super) fn open(dir: &Path, config: &ModelConfig) -> Result<Self> {
        let shards = Shards::open(dir)?;
        let load = |id: WeightId| shards.load(id, config);
        WeightId::all(config).into_iter().map(load).collect::<Result<_>>().map(Self)
    }

    /// The values of a weight.
    pub(super) fn get(&self, index: usize) -> Weights<'_> {
        match &self.0[index] {
            Tensor::Owned(values) => Weights::F32(values),
            Tensor::Mapped { file, range, dtype } => {
                let bytes = &file[range.clone()];
                match dtype {
                    Dtype::BF16 => Weights::Bf16(bytemuck::cast_slice(bytes)),
                    Dtype::F16 => Weights::F16(bytemuck::cast_slice(bytes)),
                    _ => Weights::F32(bytemuck::cast_slice(bytes)),
                }
            }
        }
    }
}

/// The safetensors files of a model.
struct Shards {
    files: Vec<Shard>,
    /// Which file holds a tensor, where an index says so.
    index: Option<BTreeMap<String, usize>>,
}

struct Shard {
    path: PathBuf,
    file: Arc<Mmap>,
    /// Where the header ends.
    data: usize,
    tensors: BTreeMap<String, TensorInfo>,
}

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

impl Shards {
    fn open(dir: &Path) -> Result<Self> {
        let single = dir.join(SINGLE);
        if single.exists() {
            return Ok(Self { files: vec![Shard::open(&single)?], index: None });
        }
        let path = dir.join(INDEX);
        if !path.exists() {
            return Err(Error::not_found(format!(
                "`{}` has neither `{SINGLE}` nor `{INDEX}`",
                dir.display()
            ))
            .with_hint("download the model's safetensors files into that directory"));
        }
        Self::open_index(dir, &path).map_err(|e| e.context(format!("read `{}`", path.display())))
    }

    fn open_index(dir: &Path, path: &Path) -> Result<Self> {
        let json: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        let map = json["weight_map"]
            .as_object()
            .ok_or_else(|| Error::data("must be an object").at("weight_map"))?;
        let mut names: Vec<&str> = Vec::new();
        let mut index = BTreeMap::new();
        for (tensor, file) in map {
            let file = file.as_str().filter(|f| !f.contains(['/', '\\'])).ok_or_else(|| {
                Error::data(format!("must name a file of this directory, is {file}"))
                    .at(tensor.as_str())
                    .within("weight_map")
            })?;
            let place = names.iter().position(|&n| n == file).unwrap_or_else(|| {
                names.push(file);
                names.len() - 1
            });
            index.insert(tensor.clone(), place);
        }
        let shard = |name: &&str| {
            Shard::open(&dir.join(name)).map_err(|e| match e.kind() {
                ErrorKind::NOT_FOUND => e.with_hint("a shard is missing; download it"),
                _ => e,
            })
        };
        let files = names.iter().map(shard).collect::<Result<_>>()?;
        Ok(Self { files, index: Some(index) })
    }

    fn load(&self, id: WeightId, config: &ModelConfig) -> Result<Tensor> {
        let name = id.name();
        let place = match &self.index {
            None => Some(0),
            Some(index) => index.get(&name).copied(),
        };
        let found =
            place.and_then(|p| self.files[p].tensors.get(&name).map(|t| (&self.files[p], t)));
        let Some((shard, info)) = found else {
            let hint = match id {
                WeightId::Head => "set `tie_word_embeddings` in `config.json` if the head is tied",
                _ => {
                    "`config.json` and the weights belong to different models, or a download stopped"
                }
            };
            return Err(Error::not_found(format!("tensor `{name}` is missing"))
                .context(format!("read the weights in `{}`", self.folder()))
                .with_hint(hint));
        };
        shard.tensor(&name, info, id, config).map_err(|e| {
            e.context(format!("tensor `{name}`"))
                .context(format!("read `{}`", shard.path.display()))
        })
    }

    fn folder(&self) -> String {
        let parent = self.files.first().and_then(|f| f.path.parent());
        parent.map(|p| p.display().to_string()).unwrap_or_default()
    }
}

impl Shard {
    fn open(path: &Path) -> Result<Self> {
        let file = map(path)?;
        let broken = |e: safetensors::SafeTensorError| {
            Error::data(format!("not a whole safetensors file: {e}"))
                .context(format!("read `{}`", path.display()))
                .with_hint("the file is damaged or cut short; download it again")
        };
        let (header, metadata) = SafeTensors::read_metadata(&file).map_err(broken)?;
        let tensors = metadata.tensors().into_iter().map(|(k, v)| (k, v.clone())).collect();
        let shard =
            Self { data: header + 8, file: Arc::new(file), tensors, path: path.to_path_buf() };
        // `read_metadata` checks the header against the file; the ends are checked again here because
        // every later slice relies on them.
        let size = shard.file.len() - shard.data;
        match shard.tensors.values().any(|t| t.data_offsets.1 > size) {
            true => Err(broken(safetensors::SafeTensorError::MetadataIncompleteBuffer)),
            false => Ok(shard),
        }
    }

    fn tensor(
        &self,
        name: &str,
        info: &TensorInfo,
        id: WeightId,
        config: &ModelConfig,
    ) -> Result<Tensor> {
        let [rows, columns] = id.shape(config);
        let expected = if id.is_vector() { vec![columns] } else { vec![rows, columns] };
        if info.shape != expected {
            return Err(Error::data(format!(
                "has shape {:?}, `config.json` asks for {expected:?}",
                info.shape
            ))
            .with_hint("`config.json` and the weights belong to different models"));
        }
        if !matches!(info.dtype, Dtype::F32 | Dtype::BF16 | Dtype::F16) {
            return Err(Error::new(ErrorKind::UNSUPPORTED, format!("has dtype {:?}", info.dtype))
                .with_hint("the local trainer reads F32, BF16 and F16 weights"));
        }
        let range = self.data + info.data_offsets.0..self.data + info.data_offsets.1;
        let tensor = Tensor::Mapped { file: Arc::clone(&self.file), range, dtype: info.dtype };
        let tensor = Tensors(vec![tensor.aligned()]);
        if let Some(at) = tensor.get(0).first_not_finite() {
            return Err(Error::data(format!("value {at} of {} is not finite", rows * columns))
                .with_hint(format!("the weights are damaged; download `{name}`'s file again")));
        }
        let mut only = tensor.0;
        let tensor = only.remove(0);
        Ok(if id.is_vector() { tensor.owned() } else { tensor })
    }
}

impl Tensor {
    /// A copy, if the file does not align the values for their dtype (its header may have any
    /// length).
    fn aligned(self) -> Self {
        match &self {
            Self::Mapped { file, range, dtype } => {
                let bytes = &file[range.clone()];
                let fits = match dtype {
                    Dtype::F32 => bytemuck::try_cast_slice::<u8, f32>(bytes).is_ok(),
                    _ => bytemuck::try_cast_slice::<u8, u16>(bytes).is_ok(),
                };
                if fits { self } else { Self::Owned(unaligned(bytes, *dtype)) }
            }
            Self::Owned(_) => self,
        }
    }

    fn owned(self) -> Self {
        let one = Tensors(vec![self]);
        let weights = one.get(0);
        let mut values = vec![0.0; weights.len()];
        weights.widen(0, &mut values);
        Self::Owned(values)
    }
}

fn unaligned(bytes: &[u8], dtype: Dtype) -> Vec<f32> {
    let halves = |f: fn(u16) -> f32| {
        bytes.as_chunks::<2>().0.iter().map(|&b| f(u16::from_le_bytes(b))).collect()
    };
    match dtype {
        Dtype::BF16 => halves(|b| half::bf16::from_bits(b).to_f32()),
        Dtype::F16 => halves(|b| half::f16::from_bits(b).to_f32()),
        _ => bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
    }
}
