package pages

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"rsc.io/qr"
)

// qrCode draws text as a PNG picture of one pixel a module, which the stylesheet
// enlarges: black on white with the quiet zone of four modules that ISO/IEC 18004
// asks for. The same as SVG is fifteen times as heavy, and a page with a secret
// goes out uncompressed.
func qrCode(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	const quiet = 4
	side := code.Size + 2*quiet
	picture := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				picture.SetColorIndex(x+quiet, y+quiet, 1)
			}
		}
	}
	var file bytes.Buffer
	packer := png.Encoder{CompressionLevel: png.BestCompression}
	if err := packer.Encode(&file, picture); err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	return file.Bytes(), nil
}
