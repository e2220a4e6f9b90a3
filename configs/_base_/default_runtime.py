default_scope = 'densecorr'
randomness = dict(seed=0)
log_level = 'INFO'
# What propagation may use, see densecorr.propagation.propagator.Limits. Only max_bank
# and precision can change a number.
limits = dict(
    max_memory='512MB', max_bank=None, method='auto', precision='float32', check=0
)
