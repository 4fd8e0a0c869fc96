! Gravity of columns of sediment, as in basin_numpy.py: log-likelihood and its gradient for n models.
!
!     make libbasin_fortran.so
!
! bind(c) makes the subroutine one that C could call, so that basin_native.py serves both. What is C-ordered there is
! transposed here: x (0:columns, stations) km, from station to edge; depth, gradient (columns, n) km; predicted (stations, n)
! mGal. scale is 2 G density, mGal/km.
subroutine basin(n, stations, columns, scale, x, observed, sigma, depth, predicted, log_likelihood, gradient) bind(c)
  use, intrinsic :: iso_c_binding, only: c_int, c_double
  implicit none
  integer(c_int), value :: n, stations, columns
  real(c_double), value :: scale
  real(c_double), intent(in) :: x(0:columns, stations), observed(stations), sigma(stations), depth(columns, n)
  real(c_double), intent(out) :: predicted(stations, n), log_likelihood(n), gradient(columns, n)
  real(c_double) :: residual
  integer :: i, p

  gradient = 0
  log_likelihood = 0
  do p = 1, n
    do i = 1, stations
      predicted(i, p) = scale * sum(edge(x(1:, i), depth(:, p)) - edge(x(:columns - 1, i), depth(:, p)))
      residual = (observed(i) - predicted(i, p)) / sigma(i)
      log_likelihood(p) = log_likelihood(p) - residual**2 / 2
      gradient(:, p) = gradient(:, p) &
        + residual / sigma(i) * scale * (atan2(x(1:, i), depth(:, p)) - atan2(x(:columns - 1, i), depth(:, p)))
    end do
  end do
contains
  elemental real(c_double) function edge(x, h)
    real(c_double), intent(in) :: x, h
    edge = x / 2 * log(1 + (h / x)**2) + h * atan2(x, h)
  end function
end subroutine
