import type { DevicePoints } from '../columnar/parquet-files.ts';

/** Where each of `parts` parts of about the same number of points begins: devices, without the first part. */
export async function cutsByDevice(
  devices: AsyncIterable<readonly DevicePoints[]>,
  totalPoints: number,
  parts: number,
): Promise<string[]> {
  const cuts: string[] = [];
  let before = 0;
  for await (const batch of devices) {
    for (const { device, points } of batch) {
      if (before > 0 && before >= (totalPoints * (cuts.length + 1)) / parts) cuts.push(device);
      before += points;
    }
  }
  return cuts.slice(0, parts - 1);
}
