"""Slips in data sets, image formats and calibrators that an earlier exam did not notice."""

from tests.testing.slips import Slip

_PARTNERS = "partners_are_of_the_same_field"
_FILES = "the_files_of_a_field_are_those_that_it_was_read_from"
_EVERYWHERE = "a_std_that_is_the_same_everywhere_becomes_that_of_the_errors"
_FEW = "few_pixels_of_the_same_std_have_that_of_their_errors"
_ROW = "pixels_in_a_row_are_calibrated_as_in_an_image"
_READERS = "other_programs_read_what_is_written"
_FOREIGN = "files_of_other_programs_are_read_or_refused"

SLIPS_OF_FILES = (
    Slip(
        "dataset/folder",
        "only the first exposure has the reference",
        "datasets/folder.py",
        "            return [only] * len(noisy)\n",
        "            return [only, *[None] * (len(noisy) - 1)]\n",
        _PARTNERS,
    ),
    Slip(
        "dataset/manifest",
        "clean references are lost",
        "datasets/manifest.py",
        'clean = self.frames(own["clean"].file) if "clean" in own else None',
        "clean = None",
        _PARTNERS,
    ),
    Slip(
        "dataset/channel_files",
        "recorded mixed images are lost",
        "datasets/single_channels.py",
        "recorded = None if mixed is None else self.frames(mixed)",
        "recorded = None",
        _PARTNERS,
    ),
    Slip(
        "dataset/folder",
        "the type of another file is said",
        "datasets/folder.py",
        '.dtype) if role == "observed" else ""',
        '.dtype) if role != "observed" else ""',
        _FILES,
    ),
    Slip(
        "dataset/folder",
        "a reference of other sides is taken",
        "datasets/folder.py",
        "            if taken.shape != shape:\n",
        "            if taken.shape == ():\n",
        "an_image_that_does_not_fit_the_others_is_refused",
    ),
    Slip(
        "calibrator/affine",
        "a floor beneath a constant std",
        "calibrators/affine.py",
        "return whole / float(rmv[0]), 0.0",
        "return whole / float(rmv[0]), 1.0",
        _EVERYWHERE,
    ),
    Slip(
        "calibrator/conformal",
        "one rank too high",
        "calibrators/conformal.py",
        "(pixels + 1) * level",
        "(pixels + 2) * level",
        _FEW,
    ),
    Slip(
        "calibrator/affine",
        "rows are refused",
        "calibrators/affine.py",
        "if std.ndim < 3 or len(slope)",
        "if std.ndim < 4 or len(slope)",
        _ROW,
    ),
    Slip(
        "image_format/czi",
        "late starts are read from elsewhere",
        "image_formats/czi.py",
        "range(p.start + s, p.stop + s)",
        "range(p.start + s, p.stop - s)",
        _FOREIGN,
    ),
    Slip(
        "image_format/mrc",
        "the order of bytes by the number of planes alone",
        "image_formats/_mrc_header.py",
        'math.prod(struct.unpack_from(f"{order}3i", raw))',
        'struct.unpack_from(f"{order}3i", raw)[2]',
        _FOREIGN,
    ),
    Slip(
        "image_format/mrc",
        "volumes of one plane are one volume",
        "image_formats/_mrc_header.py",
        "0 < planes < nz",
        "1 < planes < nz",
        _FOREIGN,
    ),
    Slip(
        "image_format/lif",
        "pixels from the beginning of the file",
        "image_formats/lif.py",
        "offset=block.offset, where=where",
        "offset=0, where=where",
        _FOREIGN,
    ),
    Slip(
        "image_format/nd2",
        "missing frames are no matter",
        "image_formats/nd2.py",
        "    elif there < wanted:\n",
        "    elif there < 0:\n",
        _FOREIGN,
    ),
    Slip(
        "image_format/tiff",
        "the list of pages is not counted",
        "image_formats/tiff.py",
        "size + planes * _ENTRY <= _MOST_BYTES",
        "size <= _MOST_BYTES",
        "files_of_more_than_4_gib_are_written",
    ),
    Slip(
        "image_format/zarr",
        "black and white is written, but not read",
        "image_formats/_zarr_format.py",
        "str(path), KINDS, self.called",
        'str(path), (*KINDS, "bool"), self.called',
        "pixels_of_every_type_come_back_or_are_refused",
    ),
    Slip(
        "image_format/tiff",
        "a constant channel has an empty range of display",
        "image_formats/_channel_ranges.py",
        "(low, low + 1) if math.isfinite(low)",
        "(low, low) if math.isfinite(low)",
        _READERS,
    ),
    Slip(
        "image_format/tiff",
        "offsets of channels may differ",
        "image_formats/_imagej_header.py",
        "len({*scale.factor}) * len({*scale.offset}) > 1",
        "len({*scale.factor}) > 1",
        _READERS,
    ),
    Slip(
        "image_format/ome_zarr",
        "a shard takes the whole side",
        "image_formats/ome_zarr.py",
        "min(self.options.shard, -(-side // chunk)) * chunk",
        "-(-side // chunk) * chunk",
        _READERS,
    ),
    Slip(
        "image_format/ome_zarr",
        "black chunks are not stored",
        "image_formats/ome_zarr.py",
        '"write_empty_chunks": True',
        '"write_empty_chunks": False',
        _READERS,
    ),
    Slip(
        "image_format/hdf5",
        "a file of something else may be replaced",
        "image_formats/_hdf5_beside.py",
        "    except (OSError, RuntimeError, KeyError):\n        return False\n",
        "    except (OSError, RuntimeError, KeyError):\n        return True\n",
        "an_image_is_written_beside_others",
    ),
)
"""None of them is equivalent to what it replaces."""
