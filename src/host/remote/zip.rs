//! The form of a zip archive, as far as ansible-runner's are made of it: stored or deflated entries, a central directory,
//! ZIP64 where something is large. Names and modes only; what they may do is [`super::unpack`]'s to decide.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Stands where the number is in the ZIP64 part.
const LARGE: u32 = u32::MAX;
const END_LENGTH: u64 = 22;
/// Made by Unix: the upper half of the external attributes is a mode.
const UNIX: u16 = 3 << 8;

/// One entry of the central directory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    /// Type and permissions, as `stat` has them; 0 when nobody said.
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) modified: i64,
    /// How long it says that it is.
    pub(super) size: u64,
    method: u16,
    encrypted: bool,
    crc: u32,
    packed: u64,
    at: u64,
}

/// What is wrong with an archive.
fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

fn u16_at(bytes: &[u8], at: usize) -> io::Result<u16> {
    let bytes = bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u16::from_le_bytes).ok_or_else(|| bad("the archive is cut off"))
}

fn u32_at(bytes: &[u8], at: usize) -> io::Result<u32> {
    let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_le_bytes).ok_or_else(|| bad("the archive is cut off"))
}

fn u64_at(bytes: &[u8], at: usize) -> io::Result<u64> {
    let bytes = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u64::from_le_bytes).ok_or_else(|| bad("the archive is cut off"))
}

/// An archive that is read.
#[derive(Debug)]
pub(super) struct Archive<R> {
    input: R,
    next: u64,
    left: u64,
}

impl<R: Read + Seek> Archive<R> {
    /// Finds the central directory.
    pub(super) fn open(mut input: R) -> io::Result<Self> {
        let length = input.seek(SeekFrom::End(0))?;
        let tail = length.min(END_LENGTH + u64::from(u16::MAX));
        input.seek(SeekFrom::Start(length - tail))?;
        let mut bytes = Vec::new();
        input.by_ref().take(tail).read_to_end(&mut bytes)?;
        let is_end = |at: &usize| bytes[*at..].starts_with(&END.to_le_bytes());
        let last = bytes.len().checked_sub(22).ok_or_else(|| bad("it is no zip archive"))?;
        let at = (0..=last).rev().find(is_end).ok_or_else(|| bad("it is no zip archive"))?;
        let mut left = u64::from(u16_at(&bytes, at + 10)?);
        let mut next = u64::from(u32_at(&bytes, at + 16)?);
        let before = at.checked_sub(20).filter(|at| bytes[*at..].starts_with(&LOCATOR_64.to_le_bytes()));
        if let Some(locator) = before {
            input.seek(SeekFrom::Start(u64_at(&bytes, locator + 8)?))?;
            let mut end = [0; 56];
            input.read_exact(&mut end)?;
            if u32_at(&end, 0)? != END_64 {
                return Err(bad("its end is damaged"));
            }
            (left, next) = (u64_at(&end, 32)?, u64_at(&end, 48)?);
        }
        Ok(Self { input, next, left })
    }

    /// Returns how many entries it says that it has.
    pub(super) fn count(&self) -> u64 {
        self.left
    }

    /// Returns the next entry of the central directory.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.input.seek(SeekFrom::Start(self.next))?;
        let mut head = [0; 46];
        self.input.read_exact(&mut head).map_err(|_| bad("its list of entries is cut off"))?;
        if u32_at(&head, 0)? != CENTRAL {
            return Err(bad("its list of entries is damaged"));
        }
        let [name, extra, comment] = [u16_at(&head, 28)?, u16_at(&head, 30)?, u16_at(&head, 32)?];
        let mut rest = vec![0; usize::from(name) + usize::from(extra)];
        self.input.read_exact(&mut rest).map_err(|_| bad("its list of entries is cut off"))?;
        let extra = rest.split_off(usize::from(name));
        self.next = self.input.stream_position()? + u64::from(comment);
        let made_by = u16_at(&head, 4)? & 0xff00;
        let mut entry = Entry {
            name: rest,
            mode: if made_by == UNIX { u32_at(&head, 38)? >> 16 } else { 0 },
            modified: seconds(u16_at(&head, 14)?, u16_at(&head, 12)?),
            size: u64::from(u32_at(&head, 24)?),
            method: u16_at(&head, 10)?,
            encrypted: u16_at(&head, 8)? & 1 != 0,
            crc: u32_at(&head, 16)?,
            packed: u64::from(u32_at(&head, 20)?),
            at: u64::from(u32_at(&head, 42)?),
        };
        entry.enlarge(&extra)?;
        Ok(Some(entry))
    }

    /// Writes what an entry holds, which must be what it says. More than it says is never written.
    pub(super) fn write(&mut self, entry: &Entry, to: &mut dyn Write) -> io::Result<()> {
        if entry.encrypted {
            return Err(bad("it is encrypted"));
        }
        self.input.seek(SeekFrom::Start(entry.at))?;
        let mut head = [0; 30];
        self.input.read_exact(&mut head).map_err(|_| bad("it is cut off"))?;
        if u32_at(&head, 0)? != LOCAL {
            return Err(bad("it is not where the list says"));
        }
        let skipped = u64::from(u16_at(&head, 26)?) + u64::from(u16_at(&head, 28)?);
        self.input.seek(SeekFrom::Start(entry.at.saturating_add(30 + skipped)))?;
        let packed = self.input.by_ref().take(entry.packed);
        let mut content: Box<dyn Read + '_> = match entry.method {
            STORED => Box::new(packed),
            DEFLATED => Box::new(DeflateDecoder::new(BufReader::new(packed))),
            _ => return Err(bad("it is packed in a way that is not known")),
        };
        let mut checked = Checked { to, crc: crc32fast::Hasher::new(), length: 0 };
        // One byte more shows that there is more.
        io::copy(&mut content.by_ref().take(entry.size), &mut checked)?;
        let more = content.read(&mut [0])?;
        if more > 0 || checked.length != entry.size || checked.crc.finalize() != entry.crc {
            return Err(bad("it is not what the archive says it is"));
        }
        Ok(())
    }
}

impl Entry {
    /// Takes the numbers of the ZIP64 part, which has only those that are not in the entry itself.
    fn enlarge(&mut self, mut extra: &[u8]) -> io::Result<()> {
        let large = u64::from(LARGE);
        while extra.len() >= 4 {
            let (kind, length) = (u16_at(extra, 0)?, usize::from(u16_at(extra, 2)?));
            let part = extra.get(4..4 + length).ok_or_else(|| bad("its list of entries is damaged"))?;
            if kind == 1 {
                let mut at = 0;
                for number in [&mut self.size, &mut self.packed, &mut self.at] {
                    if *number == large {
                        *number = u64_at(part, at)?;
                        at += 8;
                    }
                }
            }
            extra = &extra[4 + length..];
        }
        Ok(())
    }
}

/// Counts and sums what goes by.
struct Checked<'a> {
    to: &'a mut dyn Write,
    crc: crc32fast::Hasher,
    length: u64,
}

impl Write for Checked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.crc.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// An archive that is written.
#[derive(Debug)]
pub(super) struct Builder {
    file: File,
    central: Vec<u8>,
    count: u64,
}

impl Builder {
    pub(super) fn new(file: File) -> Self {
        Self { file, central: Vec::new(), count: 0 }
    }

    /// Adds an entry; the name of a folder ends with a slash. `length` is what is expected, it may become another.
    pub(super) fn add(
        &mut self,
        name: &[u8],
        mode: u32,
        modified: i64,
        length: u64,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        let at = self.file.stream_position()?;
        let name_length = u16::try_from(name.len()).map_err(|_| bad("a name is too long"))?;
        // Deflating may enlarge a little, and the file may grow meanwhile.
        let is_large = length >= u64::from(LARGE) / 2;
        let method = if length == 0 { STORED } else { DEFLATED };
        let (date, time) = date_time(modified);
        let mut head = Vec::with_capacity(64 + name.len());
        let version: u16 = if is_large { 45 } else { 20 };
        // Names are UTF-8 when they are that: bit 11.
        let flags: u16 = if std::str::from_utf8(name).is_ok() { 1 << 11 } else { 0 };
        for part in [version, flags, method, time, date] {
            head.extend(part.to_le_bytes());
        }
        let shared = head.clone();
        self.file.write_all(&LOCAL.to_le_bytes())?;
        self.file.write_all(&shared)?;
        self.file.write_all(&[0; 12])?;
        self.file.write_all(&name_length.to_le_bytes())?;
        self.file.write_all(&(if is_large { 20_u16 } else { 0 }).to_le_bytes())?;
        self.file.write_all(name)?;
        if is_large {
            self.file.write_all(&large_part(&[0, 0]))?;
        }
        let begun = self.file.stream_position()?;
        let (size, crc) = match method {
            STORED => {
                let mut checked = Checked { to: &mut self.file, crc: crc32fast::Hasher::new(), length: 0 };
                io::copy(content, &mut checked)?;
                (checked.length, checked.crc.finalize())
            }
            _ => {
                let mut packer = DeflateEncoder::new(io::BufWriter::new(&mut self.file), Compression::fast());
                let mut checked = Checked { to: &mut packer, crc: crc32fast::Hasher::new(), length: 0 };
                io::copy(content, &mut checked)?;
                let summed = (checked.length, checked.crc.finalize());
                packer.finish()?.flush()?;
                summed
            }
        };
        let end = self.file.stream_position()?;
        let packed = end - begun;
        if !is_large && (size >= u64::from(LARGE) || packed >= u64::from(LARGE)) {
            return Err(bad("a file grew too much while it was packed"));
        }
        let small = |number: u64| u32::try_from(number).unwrap_or(LARGE);
        let numbers = if is_large { [LARGE; 2] } else { [small(packed), small(size)] };
        self.file.seek(SeekFrom::Start(at + 14))?;
        self.file.write_all(&crc.to_le_bytes())?;
        for number in numbers {
            self.file.write_all(&number.to_le_bytes())?;
        }
        if is_large {
            self.file.seek(SeekFrom::Start(begun - 20))?;
            self.file.write_all(&large_part(&[size, packed]))?;
        }
        self.file.seek(SeekFrom::Start(end))?;

        let is_far = at >= u64::from(LARGE);
        let mut large = if is_large { vec![size, packed] } else { Vec::new() };
        large.extend(is_far.then_some(at));
        let extra = if large.is_empty() { Vec::new() } else { large_part(&large) };
        let extra_length = u16::try_from(extra.len()).unwrap_or(0);
        let central = &mut self.central;
        central.extend(CENTRAL.to_le_bytes());
        central.extend((UNIX | 45).to_le_bytes());
        central.extend(shared);
        central.extend(crc.to_le_bytes());
        numbers.iter().for_each(|number| central.extend(number.to_le_bytes()));
        central.extend(name_length.to_le_bytes());
        central.extend(extra_length.to_le_bytes());
        central.extend([0; 6]);
        // The low half has the folder's bit of DOS.
        central.extend(((mode << 16) | if name.ends_with(b"/") { 0x10 } else { 0 }).to_le_bytes());
        central.extend((if is_far { LARGE } else { small(at) }).to_le_bytes());
        central.extend(name);
        central.extend(extra);
        self.count += 1;
        Ok(())
    }

    /// Writes the central directory, and returns the file.
    pub(super) fn finish(mut self) -> io::Result<File> {
        let at = self.file.stream_position()?;
        self.file.write_all(&self.central)?;
        let length = self.central.len() as u64;
        let is_large = at >= u64::from(LARGE) || length >= u64::from(LARGE) || self.count >= u64::from(u16::MAX);
        if is_large {
            let mut end = END_64.to_le_bytes().to_vec();
            end.extend(44_u64.to_le_bytes());
            end.extend([45_u16, 45].iter().flat_map(|version| version.to_le_bytes()));
            end.extend([0; 8]);
            end.extend([self.count, self.count, length, at].iter().flat_map(|number| number.to_le_bytes()));
            end.extend(LOCATOR_64.to_le_bytes());
            end.extend([0; 4]);
            end.extend((at + length).to_le_bytes());
            end.extend(1_u32.to_le_bytes());
            self.file.write_all(&end)?;
        }
        let count = u16::try_from(self.count).unwrap_or(u16::MAX);
        let mut end = END.to_le_bytes().to_vec();
        end.extend([0; 4]);
        end.extend([count, count].iter().flat_map(|count| count.to_le_bytes()));
        end.extend([length, at].iter().flat_map(|number| u32::try_from(*number).unwrap_or(LARGE).to_le_bytes()));
        end.extend([0; 2]);
        self.file.write_all(&end)?;
        self.file.flush()?;
        Ok(self.file)
    }
}

/// The ZIP64 part of an entry.
fn large_part(numbers: &[u64]) -> Vec<u8> {
    let length = u16::try_from(numbers.len() * 8).unwrap_or(0);
    let mut part = [1_u16, length].iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
    part.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    part
}

/// Days before each month in a year that begins in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The time of an archive, which knows no zone: UTC, as ours have it.
fn seconds(date: u16, time: u16) -> i64 {
    let [date, time] = [date, time].map(i64::from);
    let day = days(1980 + (date >> 9), ((date >> 5) & 15).clamp(1, 12), (date & 31).max(1));
    day * 86_400 + (time >> 11) * 3600 + ((time >> 5) & 63) * 60 + (time & 31) * 2
}

/// The date and the time as an archive has them: from 1980 to 2107, each second one.
fn date_time(seconds: i64) -> (u16, u16) {
    let seconds = seconds.clamp(315_532_800, 4_354_819_198);
    let (day, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let mut year = 1970 + day / 366;
    while days(year + 1, 1, 1) <= day {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days(year, *month, 1) <= day).unwrap_or(1);
    let date = ((year - 1980) << 9) | (month << 5) | (day - days(year, month, 1) + 1);
    let time = ((rest / 3600) << 11) | ((rest / 60 % 60) << 5) | (rest % 60 / 2);
    (u16::try_from(date).unwrap_or(0x21), u16::try_from(time).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_comes_back() {
        for time in [315_532_800, 951_782_400, 951_868_800, 1_795_363_200, 1_709_164_798, 4_354_819_198] {
            let (date, rest) = date_time(time);
            assert_eq!(seconds(date, rest), time);
        }
        assert_eq!(date_time(0), date_time(315_532_800));
        assert_eq!(date_time(1_795_363_200), ((2026 - 1980) << 9 | 11 << 5 | 22, 16 << 11));
    }

    #[test]
    fn what_was_put_in_comes_out_and_a_flipped_bit_is_noticed() {
        let mut builder = Builder::new(tempfile::tempfile().unwrap());
        let long = b"line\n".repeat(5000);
        builder.add(b"a/", 0o40755, 1_795_363_200, 0, &mut io::empty()).unwrap();
        builder.add("a/ü".as_bytes(), 0o100_640, 1_795_363_200, 25_000, &mut &long[..]).unwrap();
        let file = builder.finish().unwrap();
        let mut archive = Archive::open(&file).unwrap();
        assert_eq!(archive.count(), 2);
        let folder = archive.next().unwrap().unwrap();
        assert_eq!((&folder.name[..], folder.mode, folder.modified), (&b"a/"[..], 0o40755, 1_795_363_200));
        let entry = archive.next().unwrap().unwrap();
        let mut out = Vec::new();
        archive.write(&entry, &mut out).unwrap();
        assert!(out == long && archive.next().unwrap().is_none());
        let wrong = Entry { crc: entry.crc ^ 1, ..entry.clone() };
        assert!(archive.write(&wrong, &mut io::sink()).is_err());
        let short = Entry { size: 10, ..entry };
        out.clear();
        assert!(archive.write(&short, &mut out).is_err());
        assert_eq!(out.len(), 10, "never more than it says");
    }
}
