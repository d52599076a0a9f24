import { Checkbox, NativeSelect, PasswordInput, Textarea, TextInput } from '@mantine/core';
import type { TargetField } from './target-fields.ts';

const PLAIN = { spellCheck: false, autoCapitalize: 'none', autoComplete: 'off' } as const;

interface FieldInputProps {
  readonly field: TargetField;
  readonly value: string;
  readonly error: string | undefined;
  readonly onChange: (value: string) => void;
}

/** Where a setting is typed or chosen. */
export function FieldInput({ field: { label, placeholder = '', as, choices }, value, error, onChange }: FieldInputProps) {
  if (choices !== undefined)
    return (
      <NativeSelect
        label={label}
        data={[...choices]}
        value={value === '' ? (choices[0]?.value ?? '') : value}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    );
  if (as === 'truth')
    return (
      <Checkbox
        label={label}
        checked={value === 'true'}
        onChange={(event) => onChange(event.currentTarget.checked ? 'true' : '')}
      />
    );
  const shared = {
    ...PLAIN,
    label,
    placeholder,
    value,
    error,
    onChange: (event: { readonly currentTarget: { readonly value: string } }) => onChange(event.currentTarget.value),
  };
  return as === 'pem' || as === 'headers' ? <Textarea {...shared} autosize minRows={2} maxRows={6} /> : <TextInput {...shared} />;
}

interface SecretInputProps extends FieldInputProps {
  /** It has one, which is kept where nothing is typed. */
  readonly isKnown: boolean;
  readonly isRemoved: boolean;
  readonly onRemove: (isRemoved: boolean) => void;
}

/** Where a secret is typed. One that is known is never shown. */
export function SecretInput({ field, value, error, onChange, isKnown, isRemoved, onRemove }: SecretInputProps) {
  const shared = {
    autoComplete: 'off',
    label: field.label,
    placeholder: isRemoved ? 'taken away' : isKnown ? 'kept as it is' : (field.placeholder ?? ''),
    value,
    error,
    disabled: isRemoved,
    onChange: (event: { readonly currentTarget: { readonly value: string } }) => onChange(event.currentTarget.value),
  };
  return (
    <div>
      {field.as === 'pem' ? (
        <Textarea {...shared} spellCheck={false} autosize minRows={2} maxRows={6} />
      ) : (
        <PasswordInput {...shared} />
      )}
      {isKnown && (
        <Checkbox
          mt={6}
          size="xs"
          label="Take it away"
          aria-label={`Take away: ${field.label}`}
          checked={isRemoved}
          onChange={(event) => onRemove(event.currentTarget.checked)}
        />
      )}
    </div>
  );
}
