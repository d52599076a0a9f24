import { Button, NativeSelect, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { tryDecoder, tryDraft, type PayloadEncoding, type Sample } from '../api/decoders.ts';
import type { DeviceType } from '../api/device-types.ts';
import { useServices } from '../app/services.ts';
import dialog from '../ui/dialog.module.css';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { draftOf, sampleFault, type DecoderForm } from './decoder-draft.ts';
import styles from './decoders.module.css';
import { TrialResult } from './trial-result.tsx';

interface TryPayloadProps {
  /** Of the decoder that is there and unchanged; undefined: what the editor holds is tried. */
  readonly name: string | undefined;
  readonly form: DecoderForm;
  readonly types: readonly DeviceType[];
  readonly sample: Pick<Sample, 'encoding' | 'payload'>;
  readonly onSample: (sample: Pick<Sample, 'encoding' | 'payload'>) => void;
  /** The format cannot be tried, and why. */
  readonly onFault: (fault: string) => void;
}

const ENCODINGS: readonly { readonly value: PayloadEncoding; readonly label: string }[] = [
  { value: 'hex', label: 'hexadecimal' },
  { value: 'base64', label: 'base64' },
  { value: 'text', label: 'text' },
];

/** A message, and what becomes of it. Nothing is stored. */
export function TryPayload({ name, form, types, sample, onSample, onFault }: TryPayloadProps) {
  const { client } = useServices();
  const [deviceType, setDeviceType] = useState('');
  const [fault, setFault] = useState('');
  const trial = useMutation({
    mutationFn: async (given: Sample) => {
      if (name !== undefined) return await tryDecoder(client, name, given);
      const made = draftOf(form);
      if ('fault' in made) throw new Error(made.fault);
      return await tryDraft(client, made.draft, given);
    },
  });
  const start = () => {
    const wrong = sampleFault(sample.encoding, sample.payload);
    setFault(wrong);
    const made = draftOf(form);
    if ('fault' in made) onFault(made.fault);
    if (wrong === '' && !('fault' in made)) trial.mutate({ ...sample, deviceType });
  };
  return (
    <section className={styles.panel} aria-label="Try a message">
      <h3>Try a message</h3>
      <div className={styles.pair}>
        <NativeSelect
          label="Written as"
          data={[...ENCODINGS]}
          value={sample.encoding}
          onChange={(event) => {
            const chosen = ENCODINGS.find(({ value }) => value === event.currentTarget.value);
            onSample({ ...sample, encoding: chosen?.value ?? 'hex' });
            setFault('');
          }}
        />
        <NativeSelect
          label="Units and ranges of"
          data={[{ value: '', label: 'no type' }, ...types.map((type) => type.name)]}
          value={deviceType}
          onChange={(event) => setDeviceType(event.currentTarget.value)}
        />
      </div>
      <Textarea
        className={dialog.mono ?? ''}
        label="Message"
        autosize
        minRows={3}
        maxRows={12}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        value={sample.payload}
        error={fault === '' ? null : fault}
        onChange={(event) => {
          onSample({ ...sample, payload: event.currentTarget.value });
          setFault('');
        }}
      />
      <div className={styles.buttons}>
        <Button variant="default" loading={trial.isPending} onClick={start}>
          Try it
        </Button>
        <span className={styles.quiet}>Nothing is stored.</span>
      </div>
      {trial.error !== null && <ProblemNotice error={trial.error} />}
      {trial.data !== undefined && <TrialResult trial={trial.data} />}
    </section>
  );
}
