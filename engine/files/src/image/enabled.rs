//! Pictures to thumbnails: decoding within limits, resizing, encoding.
//!
//! Pure work on bytes; runs on the thumbnail lane. Must not know storage.

use std::io::Cursor;

use fast_image_resize::{
    FilterType, IntoImageView as _, IntoImageViewMut as _, PixelTrait, ResizeAlg, ResizeError,
    ResizeOptions, Resizer,
    pixels::{U8, U8x3, U8x4},
};
use image::{
    ColorType, DynamicImage, ImageDecoder, ImageEncoder as _, ImageFormat, ImageReader, Limits,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
};

use super::{Anchor, Format, MAX_SIDE, Size};

/// Most memory a decoder may take.
const MAX_MEMORY: u64 = 512 << 20;
const JPEG_QUALITY: u8 = 95;

/// Thumbnails can be made.
///
/// # Errors
/// None.
#[expect(clippy::unnecessary_wraps, reason = "fails without the feature")]
pub(crate) fn ready() -> Result<(), String> {
    Ok(())
}

/// Makes a thumbnail of an encoded picture.
///
/// # Errors
/// What is wrong with the picture.
pub(crate) fn thumbnail(source: &[u8], size: Size, format: Format) -> Result<Vec<u8>, String> {
    let picture = decode(source).map_err(|e| format!("cannot decode the image: {e}"))?;
    let picture = resize(picture, size)?;
    encode(picture, format).map_err(|e| format!("cannot encode the thumbnail: {e}"))
}

/// The (first) picture, upright.
fn decode(source: &[u8]) -> image::ImageResult<DynamicImage> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_MEMORY);
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    let mut reader = ImageReader::new(Cursor::new(source)).with_guessed_format()?;
    if reader.format() == Some(ImageFormat::WebP)
        && image::codecs::webp::WebPDecoder::new(Cursor::new(source))?.has_animation()
    {
        // spec records-files §4.5: an animated WebP has no thumbnails.
        return Err(image::ImageError::Unsupported(
            image::error::UnsupportedError::from_format_and_kind(
                ImageFormat::WebP.into(),
                image::error::UnsupportedErrorKind::GenericFeature("animation".into()),
            ),
        ));
    }
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// A part of the source and the size it gets.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cut {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    to: (u32, u32),
}

impl Cut {
    /// What of a picture of `w` × `h` makes a thumbnail.
    fn of(size: Size, w: u32, h: u32) -> Self {
        let (fw, fh) = (f64::from(w), f64::from(h));
        let whole = |to| Self { left: 0.0, top: 0.0, width: fw, height: fh, to };
        match size {
            Size::Height(height) => whole((scaled(fw * f64::from(height) / fh), height)),
            Size::Width(width) => whole((width, scaled(fh * f64::from(width) / fw))),
            Size::Fit(max_w, max_h) if w <= max_w && h <= max_h => whole((w, h)),
            Size::Fit(max_w, max_h) => {
                let ratio = fw / fh;
                if ratio > f64::from(max_w) / f64::from(max_h) {
                    whole((max_w, cut_off(f64::from(max_w) / ratio)))
                } else {
                    whole((cut_off(f64::from(max_h) * ratio), max_h))
                }
            }
            Size::Fill(to_w, to_h, anchor) => {
                let (tw, th) = (f64::from(to_w), f64::from(to_h));
                let (width, height) =
                    if fw / fh < tw / th { (fw, fw * th / tw) } else { (fh * tw / th, fh) };
                let top = match anchor {
                    Anchor::Top => 0.0,
                    Anchor::Center => (fh - height) / 2.0,
                    Anchor::Bottom => fh - height,
                };
                Self { left: (fw - width) / 2.0, top, width, height, to: (to_w, to_h) }
            }
        }
    }

    /// The thumbnail of a picture whose pixels are of this kind.
    fn make<P: PixelTrait>(&self, source: &DynamicImage) -> Result<DynamicImage, ResizeError> {
        let mut out = DynamicImage::new(self.to.0, self.to.1, source.color());
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(self.left, self.top, self.width, self.height);
        let (Some(from), Some(mut to)) = (source.image_view::<P>(), out.image_view_mut::<P>())
        else {
            return Err(ResizeError::PixelTypesAreDifferent);
        };
        Resizer::new().resize_typed(&from, &mut to, &options)?;
        drop(to);
        Ok(out)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturating, not negative"
)]
fn scaled(side: f64) -> u32 {
    (side.round() as u32).max(1)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturating, not negative"
)]
fn cut_off(side: f64) -> u32 {
    (side as u32).max(1)
}

/// Thumbnails have eight bits per channel, as the reference's: resizing is compiled for three kinds of pixels, not for all.
fn resize(source: DynamicImage, size: Size) -> Result<DynamicImage, String> {
    let (width, height) = (source.width(), source.height());
    if width == 0 || height == 0 {
        return Err("the image is empty".into());
    }
    let cut = Cut::of(size, width, height);
    if cut.to == (width, height) {
        return Ok(source);
    }
    if cut.to.0 > MAX_SIDE || cut.to.1 > MAX_SIDE {
        return Err("the thumbnail would be too large".into());
    }
    match source.color() {
        ColorType::L8 => cut.make::<U8>(&source),
        ColorType::Rgb8 => cut.make::<U8x3>(&source),
        ColorType::Rgba8 => cut.make::<U8x4>(&source),
        ColorType::L16 => cut.make::<U8>(&DynamicImage::from(source.into_luma8())),
        ColorType::Rgb16 | ColorType::Rgb32F => {
            cut.make::<U8x3>(&DynamicImage::from(source.into_rgb8()))
        }
        _ => cut.make::<U8x4>(&DynamicImage::from(source.into_rgba8())),
    }
    .map_err(|e| e.to_string())
}

fn encode(picture: DynamicImage, format: Format) -> image::ImageResult<Vec<u8>> {
    let mut out = Vec::new();
    match format {
        Format::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY);
            if picture.color().has_color() {
                picture.into_rgb8().write_with_encoder(encoder)?;
            } else {
                picture.into_luma8().write_with_encoder(encoder)?;
            }
        }
        Format::Gif => {
            let frame = image::Frame::new(picture.into_rgba8());
            GifEncoder::new_with_speed(&mut out, 10).encode_frame(frame)?;
        }
        Format::Png => picture.write_with_encoder(PngEncoder::new(&mut out))?,
        Format::WebP => {
            let encoder = WebPEncoder::new_lossless(&mut out);
            if picture.color().has_alpha() {
                let picture = picture.into_rgba8();
                let (width, height) = picture.dimensions();
                encoder.write_image(&picture, width, height, image::ExtendedColorType::Rgba8)?;
            } else {
                let picture = picture.into_rgb8();
                let (width, height) = picture.dimensions();
                encoder.write_image(&picture, width, height, image::ExtendedColorType::Rgb8)?;
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        // red above, green in the middle, blue below
        let picture = image::RgbImage::from_fn(width, height, |_, y| match y * 3 / height {
            0 => image::Rgb([255, 0, 0]),
            1 => image::Rgb([0, 255, 0]),
            _ => image::Rgb([0, 0, 255]),
        });
        encode(DynamicImage::ImageRgb8(picture), Format::Png).expect("png")
    }

    #[test]
    fn dimensions_of_every_form() {
        for (source, size, want) in [
            ((300, 200), "100x100", (100, 100)),
            ((300, 200), "70x50t", (70, 50)),
            ((30, 20), "70x50b", (70, 50)),
            ((300, 200), "70x50f", (70, 46)),
            ((200, 300), "70x50f", (33, 50)),
            ((30, 20), "70x50f", (30, 20)),
            ((300, 200), "0x50", (75, 50)),
            ((30, 20), "0x50", (75, 50)),
            ((300, 200), "70x0", (70, 47)),
            ((1000, 1), "0x1", (1000, 1)),
            ((1, 1000), "0x10", (1, 10)),
            ((1000, 1), "10x10f", (10, 1)),
        ] {
            let size = Size::parse(size).expect("a size");
            let thumb =
                thumbnail(&png(source.0, source.1), size, Format::Png).expect("a thumbnail");
            let thumb = image::load_from_memory(&thumb).expect("an image");
            assert_eq!((thumb.width(), thumb.height()), want, "{source:?} {size:?}");
        }
    }

    #[test]
    fn anchors_keep_their_part() {
        let source = png(30, 300);
        for (size, want) in
            [("10x10t", [255, 0, 0]), ("10x10", [0, 255, 0]), ("10x10b", [0, 0, 255])]
        {
            let size = Size::parse(size).expect("a size");
            let thumb = thumbnail(&source, size, Format::Png).expect("a thumbnail");
            let thumb = image::load_from_memory(&thumb).expect("an image").into_rgb8();
            assert_eq!(thumb.get_pixel(5, 5).0, want, "{size:?}");
        }
    }

    #[test]
    fn every_kind_of_pixel_has_eight_bits_afterwards() {
        for (source, want) in [
            (ColorType::L8, ColorType::L8),
            (ColorType::La8, ColorType::Rgba8),
            (ColorType::Rgb8, ColorType::Rgb8),
            (ColorType::Rgba8, ColorType::Rgba8),
            (ColorType::L16, ColorType::L8),
            (ColorType::La16, ColorType::Rgba8),
            (ColorType::Rgb16, ColorType::Rgb8),
            (ColorType::Rgba16, ColorType::Rgba8),
        ] {
            let png = encode(DynamicImage::new(40, 20, source), Format::Png).expect("png");
            let thumb = thumbnail(&png, Size::Width(10), Format::Png).expect("a thumbnail");
            let thumb = image::load_from_memory(&thumb).expect("an image");
            assert_eq!((thumb.width(), thumb.height(), thumb.color()), (10, 5, want), "{source:?}");
        }
    }

    #[test]
    fn formats() {
        let size = Size::Width(10);
        for (format, want) in [
            (Format::Jpeg, ImageFormat::Jpeg),
            (Format::Gif, ImageFormat::Gif),
            (Format::Png, ImageFormat::Png),
            (Format::WebP, ImageFormat::WebP),
        ] {
            let thumb = thumbnail(&png(20, 20), size, format).expect("a thumbnail");
            assert_eq!(image::guess_format(&thumb).expect("a format"), want);
        }
    }

    #[test]
    fn pictures_that_lie_are_refused() {
        let mut huge = png(10, 10);
        huge[16..24].copy_from_slice(&[0, 0, 100, 0, 0, 0, 100, 0]);
        let truncated = &png(100, 100)[..60];
        for source in [&huge[..], truncated, b"", b"GIF89a", b"not an image"] {
            assert!(thumbnail(source, Size::Width(10), Format::Png).is_err());
        }
    }
}
