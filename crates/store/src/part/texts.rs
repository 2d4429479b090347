//! Store: a column of text that is being written. Each text is kept once, and of each row its number among them.
//!
//! Parquet's own writer looks the text of every row up in a table. Whoever sorts or merges rows knows already which of
//! them have the same one, so that here a row costs a few bits. The pages are those that any reader of Parquet knows:
//! a dictionary, and numbers in it (`RLE_DICTIONARY`); or the texts themselves (`PLAIN`) where that is shorter.

use std::sync::Arc;

use ahash::RandomState;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use bytes::Bytes;
use hashbrown::HashTable;
use parquet::basic::{Compression, Encoding, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// The number of a row without a text.
pub(super) const NONE: u32 = u32::MAX;
/// Rows of a page.
const PAGE: usize = 20_000;
/// Bytes from which on a page of texts is full.
const FULL: usize = 1 << 20;
/// Bytes of the largest dictionary: readers hold it as a whole.
const MOST: usize = 2 << 20;
/// The longest text that a footer tells.
const LONGEST: usize = 64;

/// Texts, each once, by number in the order in which they came.
///
/// Senders choose these texts: the table's hash has a key of its own, so that they cannot be made to collide.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    hash: RandomState,
    codes: HashTable<u32>,
    texts: String,
    /// Where each ends.
    ends: Vec<usize>,
    last: u32,
}

impl Dictionary {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, code: u32) -> &str {
        text_of(&self.texts, &self.ends, code)
    }

    /// All of them, in the order of their numbers.
    fn iter(&self) -> impl Iterator<Item = &str> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, &end)| self.texts.get(begin..end).unwrap_or_default())
    }

    /// The number of a text, which is new or was here before.
    pub(super) fn code(&mut self, text: &str) -> u32 {
        // Rows that follow each other often have the same.
        if !self.ends.is_empty() && self.get(self.last) == text {
            return self.last;
        }
        let Self { hash, codes, texts, ends, last } = self;
        let entry = codes.entry(
            hash.hash_one(text.as_bytes()),
            |&code| text_of(texts, ends, code) == text,
            |&code| hash.hash_one(text_of(texts, ends, code).as_bytes()),
        );
        *last = match entry {
            hashbrown::hash_table::Entry::Occupied(known) => *known.get(),
            hashbrown::hash_table::Entry::Vacant(place) => {
                let code = add(texts, ends, text);
                place.insert(code);
                code
            }
        };
        *last
    }
}

/// Adds a text; its number.
fn add(texts: &mut String, ends: &mut Vec<usize>, text: &str) -> u32 {
    // Rows are counted in 32 bits, and there are no more texts.
    let code = u32::try_from(ends.len()).unwrap_or(NONE);
    texts.push_str(text);
    ends.push(texts.len());
    code
}

fn text_of<'t>(texts: &'t str, ends: &[usize], code: u32) -> &'t str {
    let at = code as usize;
    let begin = at.checked_sub(1).map_or(Some(&0), |before| ends.get(before));
    let range = begin.zip(ends.get(at)).map(|(&begin, &end)| begin..end);
    range.and_then(|range| texts.get(range)).unwrap_or_default()
}

/// The texts of a row group.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    dictionary: Dictionary,
    codes: Vec<u32>,
}

impl Chunk {
    /// The next row, by the number of its text in another dictionary. `known` says which number each of these has here,
    /// if it was asked for before ([`NONE`] of the others).
    pub(super) fn push_coded<'t>(
        &mut self,
        code: Option<usize>,
        known: &mut [u32],
        text: impl FnOnce() -> &'t str,
    ) {
        self.push(code, known, |dictionary| dictionary.code(text()));
    }

    /// The same where all rows of the chunk are of one other dictionary: what is not known is a new text, and is not looked
    /// for.
    pub(super) fn push_of_one<'t>(
        &mut self,
        code: Option<usize>,
        known: &mut [u32],
        text: impl FnOnce() -> &'t str,
    ) {
        self.push(code, known, |Dictionary { texts, ends, .. }| add(texts, ends, text()));
    }

    fn push(&mut self, code: Option<usize>, known: &mut [u32], new: impl FnOnce(&mut Dictionary) -> u32) {
        let here = match code.map(|code| known.get_mut(code)) {
            None => NONE,
            Some(Some(known)) if *known != NONE => *known,
            Some(place) => {
                let here = new(&mut self.dictionary);
                if let Some(place) = place {
                    *place = here;
                }
                here
            }
        };
        self.codes.push(here);
    }

    /// The column as others read it.
    pub(super) fn array(&self) -> Result<ArrayRef> {
        // A row group has fewer than 2^31 rows.
        let code = |&code: &u32| i32::try_from(code).ok();
        let keys: Int32Array = self.codes.iter().map(code).collect();
        let values = StringArray::from_iter_values(self.dictionary.iter());
        Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(values))?))
    }

    /// The column as it lies in a file, and what a footer says of it.
    ///
    /// # Errors
    /// Where Parquet does not take it, as a page of more than 2 GiB.
    pub(super) fn finish(self, column: &ColumnDescPtr) -> Result<(Bytes, ColumnCloseResult)> {
        self.finish_in(column, PAGE)
    }

    /// The same in pages of so many rows.
    fn finish_in(self, column: &ColumnDescPtr, most: usize) -> Result<(Bytes, ColumnCloseResult)> {
        let Self { dictionary, codes } = self;
        let filled = codes.iter().filter(|code| **code != NONE).count();
        let lengths: Vec<usize> = dictionary.iter().map(|text| text.len() + 4).collect();
        let listed: usize = lengths.iter().sum();
        let plain: usize = codes.iter().filter_map(|&code| lengths.get(code as usize)).sum();
        let width = width(dictionary.len());
        let coded = listed <= MOST && listed + filled * usize::from(width) / 8 < plain;
        let encoding = if coded { Encoding::RLE_DICTIONARY } else { Encoding::PLAIN };

        let mut sink = TrackedWrite::new(Vec::new());
        let mut pages = Pages { writer: SerializedPageWriter::new(&mut sink), sizes: (0, 0), stats: vec![] };
        if coded {
            let mut page = Vec::with_capacity(listed);
            dictionary.iter().for_each(|text| put_text(&mut page, text));
            let count = count(dictionary.len())?;
            pages.write(&page, |buf| Page::DictionaryPage {
                buf,
                num_values: count,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            })?;
        }
        let mut locations = Vec::new();
        let mut rest = codes.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |code: &&u32| {
                let fits = coded || bytes < FULL;
                bytes += lengths.get(**code as usize).copied().unwrap_or_default();
                fits
            };
            let rows = rest.iter().take(most).take_while(fits).count();
            let (here, behind) = rest.split_at(rows);
            let page = page(here, column.max_def_level() > 0, |there, into| {
                if coded {
                    into.push(width);
                    put_hybrid(there, width, into);
                } else {
                    there.iter().for_each(|&code| put_text(into, dictionary.get(code)));
                }
            })?;
            let num_values = count(rows)?;
            let (offset, size) = pages.write(&page, |buf| Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            })?;
            let first_row_index = i64::try_from(codes.len() - rest.len())?;
            locations.push(PageLocation {
                offset,
                compressed_page_size: i32::try_from(size)?,
                first_row_index,
            });
            rest = behind;
        }

        let Pages { sizes: (uncompressed, compressed), stats, .. } = pages;
        let told = |text: Option<&str>| text.filter(|text| text.len() <= LONGEST).map(ByteArray::from);
        let extent = told(dictionary.iter().min()).zip(told(dictionary.iter().max()));
        let (min, max) = extent.unzip();
        let nulls = codes.len() - filled;
        let metadata = ColumnChunkMetaData::builder(column.clone())
            .set_compression(Compression::LZ4_RAW)
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, encoding])
            .set_page_encoding_stats(stats)
            .set_num_values(i64::try_from(codes.len())?)
            .set_total_uncompressed_size(i64::try_from(uncompressed)?)
            .set_total_compressed_size(i64::try_from(compressed)?)
            .set_dictionary_page_offset(coded.then_some(0))
            .set_data_page_offset(locations.first().map_or(0, |page| page.offset))
            .set_statistics(Statistics::new(min, max, None, Some(nulls as u64), false))
            .build()?;
        let bytes = sink.into_inner()?;
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: codes.len() as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(OffsetIndexMetaData {
                page_locations: locations,
                unencoded_byte_array_data_bytes: None,
            }),
        };
        Ok((bytes.into(), close))
    }
}

/// The pages of a column.
struct Pages<'s> {
    writer: SerializedPageWriter<'s, Vec<u8>>,
    /// Bytes before and after they were packed.
    sizes: (usize, usize),
    stats: Vec<PageEncodingStats>,
}

impl Pages<'_> {
    /// Packs and writes a page; where it begins and how many bytes it takes.
    fn write(&mut self, plain: &[u8], page: impl FnOnce(Bytes) -> Page) -> Result<(i64, usize)> {
        let page = page(lz4_flex::block::compress(plain).into());
        let (page_type, encoding) = (page.page_type(), page.encoding());
        let written = self.writer.write_page(CompressedPage::new(page, plain.len()))?;
        self.sizes.0 += written.uncompressed_size;
        self.sizes.1 += written.compressed_size;
        match self.stats.last_mut().filter(|stats| stats.page_type == page_type) {
            Some(stats) => stats.count += 1,
            None => self.stats.push(PageEncodingStats { page_type, encoding, count: 1 }),
        }
        debug_assert!(page_type != PageType::INDEX_PAGE);
        Ok((i64::try_from(written.offset)?, written.compressed_size))
    }
}

fn count(rows: usize) -> Result<u32> {
    Ok(u32::try_from(rows)?)
}

/// A page before it is packed: which rows have a text, where some may have none, and what `put` writes of those.
fn page(codes: &[u32], optional: bool, put: impl FnOnce(&[u32], &mut Vec<u8>)) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    if !optional {
        if codes.contains(&NONE) {
            return Err(ParquetError::General("a row lacks a text that each must have".to_owned()));
        }
        put(codes, &mut page);
        return Ok(page);
    }
    let levels: Vec<u32> = codes.iter().map(|&code| u32::from(code != NONE)).collect();
    page.extend_from_slice(&[0; 4]);
    put_hybrid(&levels, 1, &mut page);
    let length = u32::try_from(page.len() - 4)?.to_le_bytes();
    if let Some(place) = page.first_chunk_mut() {
        *place = length;
    }
    let there: Vec<u32> = codes.iter().copied().filter(|&code| code != NONE).collect();
    put(&there, &mut page);
    Ok(page)
}

// No text is longer than a body may be, which is far from 4 GiB.
#[allow(clippy::cast_possible_truncation)]
fn put_text(into: &mut Vec<u8>, text: &str) {
    into.extend_from_slice(&(text.len() as u32).to_le_bytes());
    into.extend_from_slice(text.as_bytes());
}

/// How many bits the numbers below this take.
#[allow(clippy::cast_possible_truncation)]
fn width(numbers: usize) -> u8 {
    (usize::BITS - numbers.saturating_sub(1).leading_zeros()) as u8
}

/// Appends numbers of so many bits in the hybrid of run lengths and packed bits that Parquet's `RLE` is.
fn put_hybrid(numbers: &[u32], width: u8, into: &mut Vec<u8>) {
    /// Bits are packed in groups of so many; a shorter run is not worth one of its own.
    const GROUP: usize = 8;
    let (mut packed, mut at) = (0, 0);
    while let Some(&number) = numbers.get(at) {
        let run = numbers.get(at..).unwrap_or_default().iter().take_while(|other| **other == number).count();
        // What is packed before a run fills its groups with the run's beginning.
        let filling = (at - packed).next_multiple_of(GROUP) - (at - packed);
        if run >= GROUP + filling {
            put_packed(numbers.get(packed..at + filling).unwrap_or_default(), width, into);
            put_number(into, ((run - filling) as u64) << 1);
            into.extend_from_slice(
                number.to_le_bytes().get(..usize::from(width.div_ceil(8))).unwrap_or_default(),
            );
            packed = at + run;
        }
        at += run;
    }
    put_packed(numbers.get(packed..).unwrap_or_default(), width, into);
}

/// Appends a run of packed bits, filled up with zeros; nothing where there are no numbers.
fn put_packed(numbers: &[u32], width: u8, into: &mut Vec<u8>) {
    if numbers.is_empty() {
        return;
    }
    put_number(into, (numbers.len().div_ceil(8) as u64) << 1 | 1);
    into.reserve(numbers.len() * usize::from(width) / 8 + 8);
    let end = into.len() + numbers.len().div_ceil(8) * usize::from(width);
    let (mut bits, mut held) = (0_u64, 0);
    for &number in numbers {
        // At most 31 bits are held, and 32 come.
        bits |= u64::from(number) << held;
        held += u32::from(width);
        if held >= 32 {
            into.extend_from_slice(bits.to_le_bytes().get(..4).unwrap_or_default());
            bits >>= 32;
            held -= 32;
        }
    }
    into.extend_from_slice(bits.to_le_bytes().get(..held.div_ceil(8) as usize).unwrap_or_default());
    into.resize(end, 0);
}

/// Appends a number in groups of seven bits, the lowest first.
#[allow(clippy::cast_possible_truncation)]
fn put_number(into: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow_array::RecordBatch;
    use arrow_schema::{Field, Schema};
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use proptest::prelude::*;

    use super::super::shape::{Texts, dictionary};
    use super::*;

    /// A column of these texts.
    fn chunk(texts: &[Option<String>], of_one: bool) -> Chunk {
        let (mut dictionary, mut chunk) = (Dictionary::default(), Chunk::default());
        let mut known = Vec::new();
        for text in texts {
            let code = text.as_deref().map(|text| dictionary.code(text) as usize);
            known.resize(dictionary.len(), NONE);
            if of_one {
                chunk.push_of_one(code, &mut known, || text.as_deref().unwrap());
            } else {
                chunk.push_coded(code, &mut known, || text.as_deref().unwrap());
            }
        }
        chunk
    }

    /// What Parquet's reader finds in a file of one column that was written here.
    fn read(texts: &[Option<String>], optional: bool, page: usize, batch: usize) -> Vec<Option<String>> {
        let schema = Arc::new(Schema::new(vec![Field::new("text", dictionary(), optional)]));
        let (mut file, _) =
            ArrowWriter::try_new(Vec::new(), schema, None).unwrap().into_serialized_writer().unwrap();
        let column = file.schema_descr().column(0);
        let (bytes, close) = chunk(texts, optional).finish_in(&column, page).unwrap();
        let mut group = file.next_row_group().unwrap();
        group.append_column(&bytes, close).unwrap();
        group.close().unwrap();
        let bytes = Bytes::from(file.into_inner().unwrap());
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().with_batch_size(batch).build().unwrap();
        let mut found = Vec::new();
        for batch in reader.collect::<std::result::Result<Vec<RecordBatch>, _>>().unwrap() {
            let texts = Texts::of(batch.column(0)).unwrap();
            found.extend((0..batch.num_rows()).map(|row| texts.get(row).map(str::to_owned)));
        }
        found
    }

    /// Texts of few and of many values, alone and in runs.
    fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
        let text = prop_oneof![
            2 => Just(None),
            4 => "[a-c]".prop_map(Some),
            2 => "[a-z]{0,12}\u{e9}?".prop_map(Some),
            1 => Just(Some("long ".repeat(40))),
        ];
        let run = (text, prop_oneof![3 => 1..3_usize, 1 => 5..40_usize]);
        proptest::collection::vec(run, 1..60).prop_map(|runs| {
            runs.into_iter().flat_map(|(text, times)| std::iter::repeat_n(text, times)).collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_of_one_dictionary_has_each_text_once(texts in texts()) {
            let (looked, taken) = (chunk(&texts, false), chunk(&texts, true));
            prop_assert_eq!(&looked.codes, &taken.codes);
            prop_assert_eq!(looked.dictionary.iter().collect::<Vec<_>>(), taken.dictionary.iter().collect::<Vec<_>>());
        }

        #[test]
        fn parquets_own_reader_finds_what_was_written(texts in texts(), page in 1..40_usize, batch in 1..50_usize) {
            prop_assert_eq!(&read(&texts, true, page, batch), &texts);
            let whole: Vec<Option<String>> = texts.into_iter().filter(Option::is_some).collect();
            if !whole.is_empty() {
                prop_assert_eq!(read(&whole, false, page, batch), whole);
            }
        }

        #[test]
        fn packed_bits_are_those_of_the_format(numbers in proptest::collection::vec(any::<u32>(), 1..70), width in 1..33_u8) {
            let mask = u32::MAX >> (32 - u32::from(width));
            let numbers: Vec<u32> = numbers.into_iter().map(|number| number & mask).collect();
            let mut bytes = Vec::new();
            put_packed(&numbers, width, &mut bytes);
            let groups = numbers.len().div_ceil(8);
            prop_assert_eq!(usize::from(bytes[0]), groups << 1 | 1);
            prop_assert_eq!(bytes.len(), 1 + groups * usize::from(width));
            let bit = |at: usize| u32::from(bytes[1 + at / 8] >> (at % 8) & 1);
            for (i, &number) in numbers.iter().enumerate() {
                let begin = i * usize::from(width);
                let found = (0..usize::from(width)).fold(0, |found, at| found | bit(begin + at) << at);
                prop_assert_eq!(found, number);
            }
        }
    }

    #[test]
    fn many_texts_take_a_dictionary_only_where_it_is_shorter() {
        let few: Vec<Option<String>> = (0..70_000).map(|i| Some(format!("text {}", i % 300))).collect();
        let many: Vec<Option<String>> = (0..70_000).map(|i| Some(format!("text {i}"))).collect();
        for (texts, coded) in [(&few, true), (&many, false)] {
            let schema = Arc::new(Schema::new(vec![Field::new("text", dictionary(), true)]));
            let (file, _) =
                ArrowWriter::try_new(Vec::new(), schema, None).unwrap().into_serialized_writer().unwrap();
            let (_, close) = chunk(texts, true).finish(&file.schema_descr().column(0)).unwrap();
            assert_eq!(close.metadata.dictionary_page_offset().is_some(), coded);
            assert_eq!(&read(texts, true, PAGE, 8_192), texts);
        }
    }
}
