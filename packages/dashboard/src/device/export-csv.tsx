import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { fetchRange } from '../api/telemetry.ts';
import { useServices } from '../app/services.ts';
import { Icon } from '../ui/icons.tsx';
import { saveText } from '../ui/save-file.ts';
import { toCsv } from './csv.ts';
import { windowAt, type TimeRange } from './time-range.ts';

interface ExportCsvProps {
  readonly device: string;
  readonly metrics: readonly string[];
  readonly range: TimeRange;
}

const MOST_POINTS = 1_000_000;

/** Saves every point of the shown metrics and range, not the buckets that are drawn. */
export function ExportCsv({ device, metrics, range }: ExportCsvProps) {
  const { client, ticker } = useServices();
  const save = useMutation({
    mutationFn: async () => {
      const { fromMs, toMs } = windowAt(range, ticker.exact());
      const request = { device, metrics, fromMs: Math.floor(fromMs), toMs: Math.ceil(toMs), limit: MOST_POINTS };
      const { series, complete } = await fetchRange(client, request);
      saveText(`${device}.csv`, toCsv(series), 'text/csv');
      return complete;
    },
  });
  const title = save.isError
    ? save.error.message
    : save.data === false
      ? 'Only the first 1,000,000 points were saved'
      : 'Save the points of this range';
  const label = save.isError ? 'CSV failed' : save.data === false ? 'CSV (cut)' : 'CSV';
  return (
    <Button
      variant="default"
      size="sm"
      disabled={metrics.length === 0}
      loading={save.isPending}
      leftSection={<Icon name="download" />}
      title={title}
      onClick={() => save.mutate()}
    >
      {label}
    </Button>
  );
}
