import { ActionIcon, Tooltip } from '@mantine/core';
import { useServices } from '../app/services.ts';
import { Icon } from '../ui/icons.tsx';
import { CustomRange } from './custom-range.tsx';
import styles from './range-picker.module.css';
import { movedRange, PRESETS, scaledRange, type TimeRange } from './time-range.ts';

interface RangePickerProps {
  readonly range: TimeRange;
  readonly onChange: (range: TimeRange) => void;
}

/** The time that is shown: a span up to now, two fixed times, and steps from there. */
export function RangePicker({ range, onChange }: RangePickerProps) {
  const { ticker } = useServices();
  const steps = [
    { label: 'Earlier', icon: 'back', to: () => movedRange(range, ticker.exact(), -0.5) },
    { label: 'Later', icon: 'forward', to: () => movedRange(range, ticker.exact(), 0.5) },
    { label: 'Zoom in', icon: 'plus', to: () => scaledRange(range, ticker.exact(), 0.5) },
    { label: 'Zoom out', icon: 'minus', to: () => scaledRange(range, ticker.exact(), 2) },
  ] as const;
  return (
    <div className={styles.picker}>
      <div className={styles.presets} role="group" aria-label="Time range">
        {PRESETS.map((preset) => (
          <button
            key={preset}
            type="button"
            className={styles.preset}
            aria-pressed={range.kind === 'live' && range.preset === preset}
            onClick={() => onChange({ kind: 'live', preset })}
          >
            {preset}
          </button>
        ))}
        <button
          type="button"
          className={styles.preset}
          aria-pressed={range.kind === 'all'}
          onClick={() => onChange({ kind: 'all' })}
        >
          Everything
        </button>
        <CustomRange range={range} onChange={onChange} className={styles.preset ?? ''} />
      </div>
      <div className={styles.steps} role="group" aria-label="Move and zoom">
        {steps.map((step) => (
          <Tooltip key={step.label} label={step.label}>
            <ActionIcon variant="default" size={32} aria-label={step.label} onClick={() => onChange(step.to())}>
              <Icon name={step.icon} />
            </ActionIcon>
          </Tooltip>
        ))}
      </div>
    </div>
  );
}
