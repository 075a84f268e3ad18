//! Safetensors files: written tensor by tensor, without a second copy in memory and always with the
//! same bytes; read with names and shapes checked.

use crate::{
    kernels::Weights,
    layout::{Layout, Slot},
};
use half::{bf16, f16};
use safetensors::{SafeTensors, tensor::TensorView};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use tinsmith_plugin_api::{Error, Result};

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    F32,
    Bf16,
    F16,
}

impl Dtype {
    /// The name in a file's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::Bf16 => "BF16",
            Self::F16 => "F16",
        }
    }

    /// The dtype of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::F32, Self::Bf16, Self::F16].into_iter().find(|dtype| dtype.name() == name)
    }

    fn bytes(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }
}

/// Values that are compared at a time.
const BLOCK: usize = 1 << 12;

/// A tensor to be written.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: &'a [f32],
}

/// The tensors of a flat vector, each name after `prefix`.
pub fn of_layout<'a>(layout: &Layout, flat: &'a [f32], prefix: &str) -> Vec<Tensor<'a>> {
    let tensor = |slot: &Slot| Tensor {
        name: format!("{prefix}{}", slot.name),
        shape: shape(slot),
        values: &flat[slot.range.clone()],
    };
    layout.slots().iter().map(tensor).collect()
}

fn shape(slot: &Slot) -> Vec<usize> {
    if slot.vector { vec![slot.shape[1]] } else { slot.shape.to_vec() }
}

/// Writes a file: header, then the tensors sorted by name.
///
/// # Errors
/// Whatever `out` answers.
pub fn write(out: &mut dyn Write, mut tensors: Vec<Tensor<'_>>, dtype: Dtype) -> io::Result<()> {
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut end = 0;
    for tensor in &tensors {
        let start = end;
        end += tensor.values.len() * dtype.bytes();
        header.insert(
            tensor.name.clone(),
            json!({
                "dtype": dtype.name(), "shape": tensor.shape, "data_offsets": [start, end]
            }),
        );
    }
    let mut header = Value::Object(header).to_string();
    // Readers map the file: data begins at a multiple of 8.
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    for tensor in &tensors {
        write_values(out, tensor.values, dtype)?;
    }
    Ok(())
}

fn write_values(out: &mut dyn Write, values: &[f32], dtype: Dtype) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(1 << 16);
    for chunk in values.chunks(1 << 14) {
        buffer.clear();
        match dtype {
            Dtype::F32 => buffer.extend(chunk.iter().flat_map(|v| v.to_le_bytes())),
            Dtype::Bf16 => {
                buffer.extend(chunk.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()));
            }
            Dtype::F16 => {
                buffer.extend(chunk.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()));
            }
        }
        out.write_all(&buffer)?;
    }
    Ok(())
}

/// Opens a file's bytes.
///
/// # Errors
/// `data` if they are no safetensors file, or a truncated one.
pub fn parse(bytes: &[u8]) -> Result<SafeTensors<'_>> {
    SafeTensors::deserialize(bytes)
        .map_err(|e| Error::data(format!("not a whole safetensors file: {e}")))
}

/// Fills the flat vector from a file, each tensor by the slot's name after `prefix`.
///
/// # Errors
/// `data` if a tensor is missing or has another shape or dtype.
pub fn read_layout(
    file: &SafeTensors<'_>,
    layout: &Layout,
    prefix: &str,
    flat: &mut [f32],
) -> Result<()> {
    for slot in layout.slots() {
        let name = format!("{prefix}{}", slot.name);
        let tensor =
            file.tensor(&name).map_err(|_| Error::data(format!("tensor `{name}` is missing")))?;
        read_slot(&name, &tensor, slot, flat)?;
    }
    Ok(())
}

/// Fills one slot of the flat vector.
///
/// # Errors
/// `data` if the tensor has another shape, a dtype that is not a float, or a value that is not
/// finite.
pub fn read_slot(name: &str, tensor: &TensorView<'_>, slot: &Slot, flat: &mut [f32]) -> Result<()> {
    let expected = shape(slot);
    if tensor.shape() != expected {
        return Err(Error::data(format!(
            "tensor `{name}` has shape {:?}, expected {expected:?}",
            tensor.shape()
        )));
    }
    let dtype = tensor.dtype().to_string();
    let Some(dtype) = Dtype::from_name(&dtype) else {
        return Err(Error::data(format!("tensor `{name}` is stored as {dtype}, not as floats")));
    };
    let into = &mut flat[slot.range.clone()];
    widen(tensor.data(), dtype, into);
    match into.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::data(format!("tensor `{name}` holds {} at index {at}", into[at]))),
    }
}

/// Stored values as f32. `bytes` holds as many as there is room for.
fn widen(bytes: &[u8], dtype: Dtype, into: &mut [f32]) {
    match dtype {
        Dtype::F32 => {
            for (value, bytes) in into.iter_mut().zip(bytes.as_chunks().0) {
                *value = f32::from_le_bytes(*bytes);
            }
        }
        Dtype::Bf16 => {
            for (value, bytes) in into.iter_mut().zip(bytes.as_chunks().0) {
                *value = bf16::from_le_bytes(*bytes).to_f32();
            }
        }
        Dtype::F16 => {
            for (value, bytes) in into.iter_mut().zip(bytes.as_chunks().0) {
                *value = f16::from_le_bytes(*bytes).to_f32();
            }
        }
    }
}

/// Whether a tensor holds a weight of a base model, as it is or rounded to the tensor's dtype.
pub fn holds(tensor: &TensorView<'_>, weights: Weights<'_>, shape: [usize; 2]) -> bool {
    let Some(dtype) = Dtype::from_name(&tensor.dtype().to_string()) else { return false };
    if tensor.shape() != shape {
        return false;
    }
    let round = |value: f32| match dtype {
        Dtype::F32 => value,
        Dtype::Bf16 => bf16::from_f32(value).to_f32(),
        Dtype::F16 => f16::from_f32(value).to_f32(),
    };
    let (mut stored, mut base) = ([0.0; BLOCK], [0.0; BLOCK]);
    tensor.data().chunks(BLOCK * dtype.bytes()).enumerate().all(|(i, bytes)| {
        let len = bytes.len() / dtype.bytes();
        widen(bytes, dtype, &mut stored[..len]);
        weights.widen(i * BLOCK, &mut base[..len]);
        stored[..len].iter().zip(&base[..len]).all(|(stored, base)| *stored == round(*base))
    })
}
