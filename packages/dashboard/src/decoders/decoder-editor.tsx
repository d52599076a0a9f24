import { Button, NativeSelect, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import {
  addDecoder,
  removeDecoder,
  updateDecoder,
  type Decoder,
  type DecoderDraft,
  type PayloadEncoding,
} from '../api/decoders.ts';
import type { DeviceType } from '../api/device-types.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';
import dialog from '../ui/dialog.module.css';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { COMPRESSIONS, draftOf, formOf, TEMPLATES, type DecoderForm } from './decoder-draft.ts';
import styles from './decoders.module.css';
import { TryPayload } from './try-payload.tsx';

interface DecoderEditorProps {
  /** Undefined: a new one. */
  readonly decoder: Decoder | undefined;
  /** Types that name it. */
  readonly users: readonly string[];
  readonly types: readonly DeviceType[];
  readonly onSaved: (name: string) => void;
  readonly onRemoved: () => void;
}

const [FIRST] = TEMPLATES;
const NEW: DecoderForm = {
  name: '',
  description: '',
  compression: 'none',
  isScript: FIRST?.isScript ?? false,
  text: FIRST?.text ?? '',
};

/** A decoder, to be read, changed and tried. */
export function DecoderEditor({ decoder, users, types, onSaved, onRemoved }: DecoderEditorProps) {
  const { client } = useServices();
  const { mayEverywhere } = useWho();
  const queries = useQueryClient();
  const [known] = useState(() => (decoder === undefined ? NEW : formOf(decoder)));
  const [form, setForm] = useState(known);
  const [fault, setFault] = useState('');
  const [sample, setSample] = useState<{ readonly encoding: PayloadEncoding; readonly payload: string }>({
    encoding: decoder === undefined ? (FIRST?.encoding ?? 'hex') : 'hex',
    payload: decoder === undefined ? (FIRST?.sample ?? '') : '',
  });
  const [removing, setRemoving] = useState(false);
  const refresh = () => {
    for (const key of ['decoders', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
  };
  const save = useMutation({
    mutationFn: async (draft: DecoderDraft) => {
      await (decoder === undefined ? addDecoder(client, draft) : updateDecoder(client, draft));
      await queries.invalidateQueries({ queryKey: ['decoders'] });
      return draft.name;
    },
    onSuccess: onSaved,
    onSettled: refresh,
  });
  const remove = useMutation({ mutationFn: removeDecoder.bind(null, client), onSuccess: onRemoved, onSettled: refresh });
  const mayWrite = mayEverywhere('types:write') && decoder?.isBuiltIn !== true;
  const changed = form !== known;
  const change = (next: Partial<DecoderForm>) => {
    setForm({ ...form, ...next });
    setFault('');
  };
  const submit = () => {
    const made = draftOf(form);
    if ('fault' in made) setFault(made.fault);
    else save.mutate(made.draft);
  };
  return (
    <div className={styles.work}>
      <section className={styles.panel} aria-label="Decoder">
        {decoder === undefined ? (
          <>
            <div className={styles.templates} role="group" aria-label="Begin with">
              {TEMPLATES.map((template) => (
                <button
                  key={template.label}
                  type="button"
                  aria-pressed={form.text === template.text}
                  onClick={() => {
                    change({ isScript: template.isScript, text: template.text });
                    setSample({ encoding: template.encoding, payload: template.sample });
                  }}
                >
                  {template.label}
                </button>
              ))}
            </div>
            <TextInput
              label="Name"
              placeholder="probe-v2"
              spellCheck={false}
              autoCapitalize="none"
              autoComplete="off"
              value={form.name}
              onChange={(event) => change({ name: event.currentTarget.value.trim() })}
            />
          </>
        ) : (
          <h3>{decoder.name}</h3>
        )}
        {decoder?.isBuiltIn === true ? (
          <p className={styles.quiet}>{decoder.description}</p>
        ) : (
          <div className={styles.pair}>
            <TextInput
              label="Description (optional)"
              autoComplete="off"
              maxLength={1000}
              readOnly={!mayWrite}
              value={form.description}
              onChange={(event) => change({ description: event.currentTarget.value })}
            />
            <NativeSelect
              label="Compressed"
              data={[...COMPRESSIONS]}
              disabled={!mayWrite}
              value={form.compression}
              onChange={(event) => change({ compression: event.currentTarget.value })}
            />
          </div>
        )}
        <Textarea
          className={dialog.mono ?? ''}
          label={form.isScript ? 'Script' : 'Format'}
          autosize
          minRows={form.isScript ? 10 : 4}
          maxRows={26}
          readOnly={!mayWrite}
          spellCheck={false}
          autoCapitalize="none"
          autoComplete="off"
          value={form.text}
          error={fault === '' ? null : fault}
          onChange={(event) => change({ text: event.currentTarget.value })}
        />
        {users.length > 0 && <p className={styles.quiet}>Read by it: devices of {users.join(', ')}.</p>}
        {save.error !== null && <ProblemNotice error={save.error} />}
        {mayWrite && (
          <div className={styles.buttons}>
            <Button loading={save.isPending} disabled={form.name === '' || (decoder !== undefined && !changed)} onClick={submit}>
              {decoder === undefined ? 'Add' : 'Save'}
            </Button>
            {decoder !== undefined && changed && (
              <Button variant="default" onClick={() => setForm(known)}>
                Undo
              </Button>
            )}
            {decoder !== undefined && (
              <Button className={styles.right ?? ''} variant="default" onClick={() => setRemoving(true)}>
                Remove…
              </Button>
            )}
          </div>
        )}
      </section>
      <TryPayload
        name={decoder !== undefined && !changed ? decoder.name : undefined}
        form={form}
        types={types}
        sample={sample}
        onSample={setSample}
        onFault={setFault}
      />
      <ConfirmDialog
        opened={removing}
        title="Remove this decoder?"
        action="Remove it"
        keep="Keep it"
        isPending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(form.name)}
        onClose={() => setRemoving(false)}
        onClosed={remove.reset}
      >
        <p>
          <strong>{form.name}</strong> is gone then. What it has read stays as it is.
        </p>
      </ConfirmDialog>
    </div>
  );
}
