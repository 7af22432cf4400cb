//! Inheritance, key by key.

/// What is written in one place, and, where it says nothing, what is written in a more general one.
pub(crate) trait Inherit {
    /// These, and where they say nothing, the others.
    #[must_use]
    fn or_of(self, others: &Self) -> Self;
}

impl<T: Clone> Inherit for Option<T> {
    fn or_of(self, others: &Self) -> Self {
        self.or_else(|| others.clone())
    }
}

/// A table whose keys are inherited one by one.
macro_rules! inherited {
    ($($(#[$doc:meta])* struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Default)]
            pub(crate) struct $name {
                $($(#[$field_doc])* pub(crate) $field: $type,)*
            }

            impl $crate::raw::Inherit for $name {
                fn or_of(self, others: &Self) -> Self {
                    Self { $($field: $crate::raw::Inherit::or_of(self.$field, &others.$field),)* }
                }
            }
        )*
    };
}

pub(super) use inherited;
