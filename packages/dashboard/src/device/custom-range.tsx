import { Button, Popover, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { useServices } from '../app/services.ts';
import { toLocalInput } from '../format/age.ts';
import styles from './range-picker.module.css';
import { windowAt, type TimeRange } from './time-range.ts';

interface CustomRangeProps {
  readonly range: TimeRange;
  readonly onChange: (range: TimeRange) => void;
  readonly className: string;
}

/** Two times in a small form. */
export function CustomRange({ range, onChange, className }: CustomRangeProps) {
  const { ticker } = useServices();
  const [opened, setOpened] = useState(false);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [fault, setFault] = useState('');
  const toggle = () => {
    const shown = windowAt(range, ticker.exact());
    setFrom(toLocalInput(shown.fromMs));
    setTo(toLocalInput(shown.toMs));
    setFault('');
    setOpened(!opened);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const fromMs = Date.parse(from);
    const toMs = Date.parse(to);
    if (Number.isNaN(fromMs) || Number.isNaN(toMs)) setFault('Both times are needed.');
    else if (toMs <= fromMs) setFault('The end must be after the beginning.');
    else {
      setOpened(false);
      onChange({ kind: 'fixed', fromMs, toMs });
    }
  };
  return (
    <Popover opened={opened} onChange={setOpened} position="bottom-end" trapFocus returnFocus shadow="md">
      <Popover.Target>
        <button type="button" className={className} aria-pressed={range.kind === 'fixed'} aria-expanded={opened} onClick={toggle}>
          Custom
        </button>
      </Popover.Target>
      <Popover.Dropdown>
        <form className={styles.form} onSubmit={submit}>
          <TextInput
            type="datetime-local"
            step={1}
            label="From"
            value={from}
            onChange={(event) => setFrom(event.currentTarget.value)}
          />
          <TextInput
            type="datetime-local"
            step={1}
            label="To"
            value={to}
            error={fault === '' ? null : fault}
            onChange={(event) => setTo(event.currentTarget.value)}
          />
          <Button type="submit" size="xs">
            Show
          </Button>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
