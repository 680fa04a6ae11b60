//! Kinds of files that their first bytes tell.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use super::Finding;

/// A kind by its first bytes; `None` leaves it to be text or data.
pub fn find(start: &[u8]) -> Option<Finding> {
    detailed(start).or_else(|| {
        let known = FIXED
            .iter()
            .find(|(at, magic, ..)| start.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
        known.map(|(_, _, description, mime)| Finding::binary(*description, mime))
    })
}

/// Where, what, and how it is called.
const FIXED: &[(usize, &[u8], &str, &str)] = &[
    (
        0,
        b"7z\xbc\xaf\x27\x1c",
        "7-zip archive data",
        "application/x-7z-compressed",
    ),
    (0, b"Rar!\x1a\x07", "RAR archive data", "application/x-rar"),
    (
        0,
        b"\x04\x22\x4d\x18",
        "LZ4 compressed data (v1.4+)",
        "application/x-lz4",
    ),
    (
        0,
        b"!<arch>\n",
        "current ar archive",
        "application/x-archive",
    ),
    (
        0,
        b"\xca\xfe\xba\xbe",
        "compiled Java class data",
        "application/x-java-applet",
    ),
    (0, b"MZ", "MS-DOS executable", "application/x-dosexec"),
    (0, b"OggS", "Ogg data", "application/ogg"),
    (0, b"fLaC", "FLAC audio bitstream data", "audio/flac"),
    (0, b"wOFF", "Web Open Font Format", "font/woff"),
    (0, b"wOF2", "Web Open Font Format (Version 2)", "font/woff2"),
    (
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "Composite Document File V2 Document",
        "application/x-ole-storage",
    ),
    (0, b"II*\0", "TIFF image data, little-endian", "image/tiff"),
    (0, b"MM\0*", "TIFF image data, big-endian", "image/tiff"),
    (4, b"ftypavif", "ISO Media, AVIF Image", "image/avif"),
    (
        4,
        b"ftypqt",
        "ISO Media, Apple QuickTime movie, Apple QuickTime (.MOV/QT)",
        "video/quicktime",
    ),
    (
        4,
        b"ftypisom",
        "ISO Media, MP4 Base Media v1 [ISO 14496-12:2003]",
        "video/mp4",
    ),
    (4, b"ftyp", "ISO Media", "video/mp4"),
    (0, b"DIRC", "Git index", "application/x-git"),
    (0, b"PAR1", "Apache Parquet", "application/octet-stream"),
];

fn detailed(start: &[u8]) -> Option<Finding> {
    if start.starts_with(b"\x7fELF") {
        return Some(elf(start));
    }
    if start.starts_with(b"\x1f\x8b") {
        return Some(Finding::binary(gzip(start), "application/gzip"));
    }
    if start.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some(Finding::binary(png(start), "image/png"));
    }
    if let Some(version) = start
        .strip_prefix(b"GIF8")
        .filter(|rest| rest.get(1) == Some(&b'a'))
    {
        let digit = version[0] as char;
        let mut text = format!("GIF image data, version 8{digit}a");
        if let (Some(width), Some(height)) = (little16(start, 6), little16(start, 8)) {
            text.push_str(&format!(", {width} x {height}"));
        }
        return Some(Finding::binary(text, "image/gif"));
    }
    if start.starts_with(b"\xff\xd8\xff") {
        return Some(Finding::binary(jpeg(start), "image/jpeg"));
    }
    if let Some(version) = start.strip_prefix(b"%PDF-") {
        let version: String = version.iter().take(3).map(|byte| *byte as char).collect();
        let text = format!("PDF document, version {version}");
        return Some(Finding::binary(text, "application/pdf"));
    }
    if start.starts_with(b"\0asm") {
        let version = little32(start, 4).unwrap_or(0);
        let text = match version {
            1 => "WebAssembly (wasm) binary module version 0x1 (MVP)".to_owned(),
            other => format!("WebAssembly (wasm) binary module version {other:#x}"),
        };
        return Some(Finding::binary(text, "application/wasm"));
    }
    packed(start)
}

/// Archives, databases and sound.
fn packed(start: &[u8]) -> Option<Finding> {
    if let Some(rest) = start.strip_prefix(b"BZh") {
        let size = rest.first().map_or('9', |byte| *byte as char);
        let text = format!("bzip2 compressed data, block size = {size}00k");
        return Some(Finding::binary(text, "application/x-bzip2"));
    }
    if start.starts_with(b"\xfd7zXZ\0") {
        let check = match start.get(7) {
            Some(0) => ", checksum NONE",
            Some(1) => ", checksum CRC32",
            Some(4) => ", checksum CRC64",
            Some(10) => ", checksum SHA-256",
            _ => "",
        };
        return Some(Finding::binary(
            format!("XZ compressed data{check}"),
            "application/x-xz",
        ));
    }
    if start.starts_with(b"\x28\xb5\x2f\xfd") {
        let text = "Zstandard compressed data (v0.8+), Dictionary ID: None";
        return Some(Finding::binary(text, "application/zstd"));
    }
    if start.starts_with(b"SQLite format 3\0") && start.len() >= 100 {
        return Some(Finding::binary(
            "SQLite 3.x database",
            "application/vnd.sqlite3",
        ));
    }
    if start.starts_with(b"PK") {
        return zip(start);
    }
    if let Some(rest) = start.strip_prefix(b"ID3").filter(|rest| rest.len() > 1) {
        let text = format!("Audio file with ID3 version 2.{}.{}", rest[0], rest[1]);
        return Some(Finding::binary(text, "audio/mpeg"));
    }
    if start.starts_with(b"RIFF") {
        let (text, mime) = match start.get(8..12) {
            Some(b"WAVE") => ("RIFF (little-endian) data, WAVE audio", "audio/x-wav"),
            Some(b"AVI ") => ("RIFF (little-endian) data, AVI", "video/x-msvideo"),
            Some(b"WEBP") => ("RIFF (little-endian) data, Web/P image", "image/webp"),
            _ => ("RIFF (little-endian) data", "application/octet-stream"),
        };
        return Some(Finding::binary(text, mime));
    }
    if start.get(257..265) == Some(b"ustar  \0") {
        return Some(Finding::binary(
            "POSIX tar archive (GNU)",
            "application/x-tar",
        ));
    }
    if start.get(257..262) == Some(b"ustar") {
        return Some(Finding::binary("POSIX tar archive", "application/x-tar"));
    }
    None
}

fn little16(start: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(start.get(at..at + 2)?.try_into().ok()?))
}

fn little32(start: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(start.get(at..at + 4)?.try_into().ok()?))
}

fn big16(start: &[u8], at: usize) -> Option<u16> {
    little16(start, at).map(u16::swap_bytes)
}

fn big32(start: &[u8], at: usize) -> Option<u32> {
    little32(start, at).map(u32::swap_bytes)
}

fn elf(start: &[u8]) -> Finding {
    let mut text = "ELF".to_owned();
    text.push_str(match start.get(4) {
        Some(1) => " 32-bit",
        Some(2) => " 64-bit",
        _ => "",
    });
    let big = start.get(5) == Some(&2);
    text.push_str(match start.get(5) {
        Some(1) => " LSB",
        Some(2) => " MSB",
        _ => "",
    });
    let field = |at| {
        if big {
            big16(start, at)
        } else {
            little16(start, at)
        }
    };
    let (kind, mime) = match field(16) {
        Some(1) => (" relocatable", "application/x-object"),
        Some(2) => (" executable", "application/x-executable"),
        Some(3) => (" shared object", "application/x-sharedlib"),
        Some(4) => (" core file", "application/x-coredump"),
        _ => ("", "application/octet-stream"),
    };
    text.push_str(kind);
    text.push_str(match field(18) {
        Some(3) => ", Intel 80386",
        Some(8) => ", MIPS",
        Some(20) => ", PowerPC or cisco 4500",
        Some(21) => ", 64-bit PowerPC or cisco 7500",
        Some(22) => ", IBM S/390",
        Some(40) => ", ARM",
        Some(62) => ", x86-64",
        Some(183) => ", ARM aarch64",
        Some(243) => ", UCB RISC-V",
        _ => "",
    });
    if start.get(6) == Some(&1) {
        text.push_str(", version 1");
    }
    text.push_str(match start.get(7) {
        Some(0) => " (SYSV)",
        Some(3) => " (GNU/Linux)",
        Some(9) => " (FreeBSD)",
        _ => "",
    });
    Finding::binary(text, mime)
}

fn gzip(start: &[u8]) -> String {
    let mut text = "gzip compressed data".to_owned();
    let flags = start.get(3).copied().unwrap_or(0);
    if flags & 4 == 0 && flags & 8 != 0 {
        let name: String = start
            .iter()
            .skip(10)
            .take_while(|byte| **byte != 0)
            .map(|byte| *byte as char)
            .collect();
        text.push_str(&format!(", was \"{name}\""));
    }
    if let Some(seconds) = little32(start, 4).filter(|seconds| *seconds != 0) {
        text.push_str(&format!(", last modified: {}", date(seconds.into())));
    }
    text.push_str(match start.get(8) {
        Some(2) => ", max compression",
        Some(4) => ", max speed",
        _ => "",
    });
    text.push_str(match start.get(9) {
        Some(0) => ", from FAT filesystem (MS-DOS, OS/2, NT)",
        Some(3) => ", from Unix",
        Some(11) => ", from NTFS filesystem (NT)",
        _ => "",
    });
    // The size is at the end of the file, which a cut beginning does not have.
    let whole = (start.len() as u64) < super::LOOK;
    if let Some(size) = start
        .len()
        .checked_sub(4)
        .filter(|_| whole)
        .and_then(|at| little32(start, at))
    {
        text.push_str(&shown_size(size));
    }
    text
}

fn shown_size(size: u32) -> String {
    format!(", original size modulo 2^32 {size}")
}

/// The size that stands at the end of a gzip file, as words.
pub fn gzip_size(name: &str) -> io::Result<String> {
    let mut file = File::open(name)?;
    let mut size = [0; 4];
    file.seek(SeekFrom::End(-4))?;
    file.read_exact(&mut size)?;
    Ok(shown_size(u32::from_le_bytes(size)))
}

/// `Mon Nov 23 21:27:47 2026`.
fn date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (mut day, rest) = (seconds / 86_400, seconds % 86_400);
    let weekday = DAYS[(day % 7) as usize];
    let mut year = 1970;
    let leap = |year: i64| year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    while day >= 365 + i64::from(leap(year)) {
        day -= 365 + i64::from(leap(year));
        year += 1;
    }
    let february = 28 + i64::from(leap(year));
    let mut month = 0;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
    let month = MONTHS[month];
    format!(
        "{weekday} {month} {:2} {hour:02}:{minute:02}:{second:02} {year}",
        day + 1
    )
}

fn png(start: &[u8]) -> String {
    let mut text = "PNG image data".to_owned();
    if let (Some(width), Some(height)) = (big32(start, 16), big32(start, 20)) {
        text.push_str(&format!(", {width} x {height}"));
    }
    if let (Some(depth), Some(color)) = (start.get(24), start.get(25)) {
        let color = match color {
            0 => " grayscale",
            2 => "/color RGB",
            3 => " colormap",
            4 => " gray+alpha",
            6 => "/color RGBA",
            _ => "",
        };
        text.push_str(&format!(", {depth}-bit{color}"));
    }
    text.push_str(match start.get(28) {
        Some(0) => ", non-interlaced",
        Some(1) => ", interlaced",
        _ => "",
    });
    text
}

fn jpeg(start: &[u8]) -> String {
    let mut text = "JPEG image data".to_owned();
    if start.get(6..10) == Some(b"JFIF") {
        let field = |at| start.get(at).copied().unwrap_or(0);
        text.push_str(&format!(", JFIF standard {}.{:02}", field(11), field(12)));
        text.push_str(match field(13) {
            0 => ", aspect ratio",
            1 => ", resolution (DPI)",
            2 => ", resolution (DPCM)",
            _ => "",
        });
        if let (Some(x), Some(y)) = (big16(start, 14), big16(start, 16)) {
            text.push_str(&format!(", density {x}x{y}"));
        }
        text.push_str(&format!(
            ", segment length {}",
            big16(start, 4).unwrap_or(0)
        ));
    }
    text
}

fn zip(start: &[u8]) -> Option<Finding> {
    let text = match start.get(2..4)? {
        [3, 4] => {
            let version = start.get(4).copied().unwrap_or(0);
            let method = match little16(start, 8) {
                Some(0) => "store",
                Some(8) => "deflate",
                Some(12) => "bzip2",
                Some(14) => "lzma",
                _ => return Some(Finding::binary("Zip archive data", "application/zip")),
            };
            if let Some(office) = office(start) {
                return Some(office);
            }
            let (whole, part) = (version / 10, version % 10);
            format!(
                "Zip archive data, at least v{whole}.{part} to extract, compression method={method}"
            )
        }
        [5, 6] => "Zip archive data (empty)".to_owned(),
        _ => return None,
    };
    Some(Finding::binary(text, "application/zip"))
}

/// Documents that are zip archives, by the name of their first members.
fn office(start: &[u8]) -> Option<Finding> {
    let names = String::from_utf8_lossy(start.get(30..start.len().min(4096))?).into_owned();
    if !names.starts_with("[Content_Types].xml") && !names.starts_with("_rels/.rels") {
        return names
            .starts_with("META-INF/")
            .then(|| Finding::binary("Java archive data (JAR)", "application/java-archive"));
    }
    let whole = String::from_utf8_lossy(start);
    Some(if whole.contains("word/") {
        Finding::binary(
            "Microsoft Word 2007+",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        )
    } else if whole.contains("xl/") {
        Finding::binary(
            "Microsoft Excel 2007+",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        )
    } else if whole.contains("ppt/") {
        Finding::binary(
            "Microsoft PowerPoint 2007+",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        )
    } else {
        Finding::binary("Microsoft OOXML", "application/octet-stream")
    })
}
